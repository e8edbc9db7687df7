"""``ferserve models pull``, ``add`` and ``verify``: files of models on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferserve.cli import exit_codes, flags
from ferserve.cli.help import Command

if TYPE_CHECKING:
    from ferserve.models.spec import ModelSpec

app = typer.Typer()
"""Their place is the group of :mod:`ferserve.cli.models`."""


@app.command("pull", cls=Command)
def pull_command(
    name: Annotated[str, typer.Argument(help="Name of the model to download: yunet.")],
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Read it from this file instead of the network.")
    ] = None,
) -> None:
    """Download a model that is not bundled; its digest is checked before it is stored."""
    from ferserve.models.pull import PULLABLE, pull_model

    print(pull_model(name, source))
    typer.echo(f"{PULLABLE[name].summary}, licence {PULLABLE[name].license}", err=True)


@app.command("add", cls=Command)
def add_command(
    file: Annotated[Path, typer.Argument(help="ONNX file, such as one that others published.")],
    like: Annotated[
        str | None,
        typer.Option(
            metavar="FAMILY",
            help="What it is like, if it has no spec: ferplus, hsemotion, deepface, mini-xception, retail-0003 or "
            "valence-arousal.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; by default that of the file.")] = None,
    version: Annotated[str | None, typer.Option(metavar="VERSION", help="Its version; by default 1.")] = None,
    model_repository: flags.ModelRepository = None,
) -> None:
    """Write what a foreign model expects and answers beside its file, or copy both into a repository."""
    from ferserve.errors import ConfigError
    from ferserve.runtime.adding import add_to_repository, write_sidecar

    spec = _spec(file, like, name, version)
    if model_repository is not None:
        print(add_to_repository(file, Path(model_repository), spec))
    elif like is None:
        raise ConfigError("--like must name a family, or --model-repository a folder, got neither; give one of them")
    else:
        print(write_sidecar(file, spec))


def _spec(file: Path, like: str | None, name: str | None, version: str | None) -> ModelSpec:
    from dataclasses import replace

    from ferserve.runtime.adding import known_spec, spec_of

    if like is not None:
        return spec_of(file, like, name or file.stem, version or "1")
    spec = known_spec(file)
    return replace(spec, name=name or spec.name, version=version or spec.version)


@app.command("verify", cls=Command)
def verify_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Models; by default all.")] = None,
    model_dir: flags.ModelDir = None,
    model_repository: flags.ModelRepository = None,
    config: flags.ConfigFile = None,
) -> None:
    """Load each model, hold its spec against its graph, run it once, and check the digests of what was pulled."""
    from ferserve.cli.models import local_index
    from ferserve.errors import FerserveError, ModelSpecError
    from ferserve.models.pull import PULLABLE, default_pull_dir, pulled_model
    from ferserve.models.store import digest_of
    from ferserve.rendering.json import print_error
    from ferserve.runtime.adding import require_answer

    index, failed = local_index(model_dir, model_repository, config), False
    chosen = [index.find(name) for name in names] if names else index.versions()
    for model, entry in chosen:
        label = f"{model.name}@{entry.version}"
        try:
            if entry.file is None:
                raise ModelSpecError(entry.reason)
            require_answer(entry.file)
            print(f"{label} ok {entry.file.sha256}")
        except FerserveError as error:
            failed = True
            print_error(label, str(error))
    for name in PULLABLE if not names else ():
        if not (default_pull_dir() / f"{name}.onnx").exists():
            continue
        try:
            print(f"{name} ok {digest_of(pulled_model(name))}")
        except FerserveError as error:
            failed = True
            print_error(name, str(error))
    if failed:
        raise typer.Exit(exit_codes.FAILED)
