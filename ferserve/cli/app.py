"""The commands, their exit codes, and their errors in one line."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import typer

from ferserve import errors
from ferserve._version import __version__
from ferserve.cli import (
    annotate,
    bench,
    check,
    classify,
    cluster,
    config,
    exit_codes,
    model_build,
    model_files,
    models,
    serve,
    size,
    stream,
    token,
    top,
    tune,
    web,
)
from ferserve.cli.help import CONTEXT, Command, Group

_USAGE_ERRORS = (
    errors.ConfigError,
    errors.ModelSpecError,
    errors.ModelNotFoundError,
    errors.InvalidOptionsError,
    errors.ServerUnavailableError,
    errors.AuthenticationError,
    errors.PermissionDeniedError,
)

_SILENCES = {"GRPC_VERBOSITY": "NONE", "OPENCV_FFMPEG_LOGLEVEL": "-8", "OPENCV_LOG_LEVEL": "SILENT"}
"""Settings of libraries that write to stderr. They are read when these are imported."""

app = typer.Typer(
    name="ferserve",
    help="Live facial-expression recognition: as a server, as its client, or without a server.",
    epilog="Exit codes: 0 done, 1 some inputs failed, 2 wrong usage or configuration or no server, 3 source lost, "
    "130 interrupted.",
    no_args_is_help=True,
    cls=Group,
    context_settings=CONTEXT,
    pretty_exceptions_enable=False,
)
app.command("serve", cls=Command)(serve.command)
app.command("classify", cls=Command)(classify.command)
app.command("stream", cls=Command)(stream.command)
app.command("annotate", cls=Command)(annotate.command)
app.command("web", cls=Command)(web.command)
app.command("top", cls=Command)(top.command)
app.command("size", cls=Command)(size.command)
app.command("tune", cls=Command)(tune.command)
app.command("check", cls=Command)(check.command)
models.app.add_typer(model_files.app)
models.app.add_typer(model_build.app)
app.add_typer(models.app, name="models")
app.add_typer(config.app, name="config")
app.add_typer(token.app, name="token")
app.add_typer(cluster.app, name="cluster")
app.add_typer(bench.app, name="bench")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"ferserve {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options that come before the command."""


def main() -> None:
    """Run the command of ``sys.argv`` and exit with its code."""
    for name, silence in _SILENCES.items():
        os.environ.setdefault(name, silence)  # our own errors say what went wrong, in one line
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be text that stdout can encode
    try:
        app(prog_name="ferserve")
    except errors.FerserveError as error:
        print(f"ferserve: {error}", file=sys.stderr)
        if isinstance(error, errors.SourceLostError):
            sys.exit(exit_codes.LOST)
        sys.exit(exit_codes.USAGE if isinstance(error, _USAGE_ERRORS) else exit_codes.FAILED)
    except ImportError as error:
        explained = errors.explain_import(error)
        if not isinstance(explained, errors.MissingPackageError):
            raise
        print(f"ferserve: {explained}", file=sys.stderr)
        sys.exit(exit_codes.USAGE)
