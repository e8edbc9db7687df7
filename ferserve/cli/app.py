"""The commands and what they share: exit codes and errors in one line."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import typer

from ferserve import errors
from ferserve._version import __version__
from ferserve.cli import bench, check, classify, models, serve, stream, tune

EXIT_FAILED = 1
EXIT_USAGE = 2

_USAGE_ERRORS = (
    errors.ConfigError,
    errors.ModelSpecError,
    errors.ModelNotFoundError,
    errors.InvalidOptionsError,
    errors.ServerUnavailableError,
)

app = typer.Typer(
    name="ferserve",
    help="Live facial-expression recognition: serve it, or ask a server, or do without one.",
    epilog="Exit codes: 0 done, 1 some inputs failed, 2 wrong usage or configuration.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.command)
app.command("classify")(classify.command)
app.command("stream")(stream.command)
app.command("tune")(tune.command)
app.command("check")(check.command)
app.add_typer(models.app, name="models")
app.add_typer(bench.app, name="bench")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"ferserve {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """What may stand before a command."""


def main() -> None:
    """Run the command of ``sys.argv`` and leave with its exit code."""
    for name, silence in (("GRPC_VERBOSITY", "NONE"), ("OPENCV_FFMPEG_LOGLEVEL", "-8")):
        os.environ.setdefault(name, silence)  # what goes wrong is said by our errors, in one line
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be text that stdout can encode
    try:
        app(prog_name="ferserve")
    except errors.FerserveError as error:
        print(f"ferserve: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE if isinstance(error, _USAGE_ERRORS) else EXIT_FAILED)
