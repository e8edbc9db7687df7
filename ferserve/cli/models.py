"""``ferserve models``."""

from __future__ import annotations

import dataclasses
import json as json_lib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferserve.cli import flags
from ferserve.cli.connect import connect_server, require_no_tls
from ferserve.cli.help import Command, Group

if TYPE_CHECKING:
    from ferserve.types import ModelDescription

app = typer.Typer(help="List, describe and download models.", no_args_is_help=True, cls=Group)


@app.command("list", cls=Command)
def list_command(
    json: flags.Json = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model_dir: flags.ModelDir = None,
    config: flags.ConfigFile = None,
) -> None:
    """List the models, the default one marked, and the detectors."""
    models = _models(target, tls_ca, model_dir, config)
    detectors = [] if target else _detectors()
    if json:
        for model in models:
            _print_json(model)
        for detector in detectors:
            _print_json(detector)
        return
    from rich.table import Table

    from ferserve.cli.table import plain_console

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("model", no_wrap=True)
    for column in ("version", "labels", "input", "license", "description"):
        table.add_column(column, overflow="fold")
    for model in models:
        labels = len(next(iter(model.heads.values())))
        size = f"{model.input_width}x{model.input_height} {model.input_color}"
        mark = "*" if model.is_default else ""
        table.add_row(model.name + mark, model.version, str(labels), size, model.license, model.description)
    for detector in detectors:
        note = detector.description if detector.available else f"{detector.description}; {detector.way_to_get_it}"
        table.add_row(detector.name, detector.version, "faces", "", detector.license, note)
    plain_console().print(table)


@app.command("info", cls=Command)
def info_command(
    name: Annotated[str, typer.Argument(help="Name of a model; by default the default model.")] = "",
    json: flags.Json = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model_dir: flags.ModelDir = None,
    config: flags.ConfigFile = None,
) -> None:
    """Show everything that a model says of itself."""
    model = _model(name, target, tls_ca, model_dir, config)
    if json:
        _print_json(model)
        return
    from ferserve.cli.table import model_table, plain_console

    plain_console().print(model_table(model))


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


def _models(
    target: str | None, tls_ca: str | None, model_dir: str | None, config: Path | None
) -> list[ModelDescription]:
    if target is not None:
        with connect_server(target, config, tls_ca) as client:
            return client.models()
    require_no_tls(tls_ca)
    return _local_models(model_dir, config)


def _model(
    name: str, target: str | None, tls_ca: str | None, model_dir: str | None, config: Path | None
) -> ModelDescription:
    if target is not None:
        with connect_server(target, config, tls_ca) as client:
            return client.model(name)
    require_no_tls(tls_ca)
    models = {model.name: model for model in _local_models(model_dir, config)}
    if not name:
        return next(model for model in models.values() if model.is_default)
    if name not in models:
        from ferserve.errors import ModelNotFoundError

        raise ModelNotFoundError(f"model must be one of {', '.join(models)}, got {name!r}")
    return models[name]


def _local_models(model_dir: str | None, config: Path | None) -> list[ModelDescription]:
    """The models that an engine of this configuration can serve; none of the models is loaded."""
    from ferserve.models.description import describe
    from ferserve.runtime.default_model import open_store

    store, default = open_store(flags.load(config, engine_model_dir=model_dir).engine)
    return [describe(file, runs_on="", is_default=file is default) for file in store.models()]


@dataclasses.dataclass(frozen=True)
class _Detector:
    """A face detector, as ``models list`` shows it."""

    name: str
    version: str
    description: str
    license: str
    available: bool
    kind: str = "detector"

    @property
    def way_to_get_it(self) -> str:
        return f"download it with `ferserve models pull {self.name}`"


def _detectors() -> list[_Detector]:
    """The bundled detector, and those that can be pulled."""
    from ferserve.detection.factory import read_detector_spec
    from ferserve.models.pull import PULLABLE, default_pull_dir
    from ferserve.models.store import BUNDLED_DIR

    spec = read_detector_spec(BUNDLED_DIR / "face-lite.onnx")
    bundled = _Detector(spec.name, spec.version, spec.description, spec.license, available=True)
    pulled = [
        _Detector(model.name, "", model.summary, model.license, (default_pull_dir() / f"{model.name}.onnx").is_file())
        for model in PULLABLE.values()
    ]
    return [bundled, *pulled]


def _print_json(entry: ModelDescription | _Detector) -> None:
    fields = dataclasses.asdict(entry) if isinstance(entry, _Detector) else entry.to_dict()
    print(json_lib.dumps({"kind": "model", **fields}), flush=True)
