"""``ferserve models``."""

from __future__ import annotations

import dataclasses
import json as json_lib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ferserve.cli import flags
from ferserve.cli.connect import connect_server, require_no_tls
from ferserve.cli.help import Command, Group

if TYPE_CHECKING:
    from ferserve.runtime.index import ModelIndex
    from ferserve.types import ModelDescription

ModelName: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="NAME for all versions of a model, NAME@VERSION for one.")
]

app = typer.Typer(
    help="List, describe, add, check and download models; load and unload those of a server.",
    no_args_is_help=True,
    cls=Group,
)


@app.command("list", cls=Command)
def list_command(
    json: flags.Json = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model_dir: flags.ModelDir = None,
    model_repository: flags.ModelRepository = None,
    config: flags.ConfigFile = None,
) -> None:
    """List the models, the default one marked, and the detectors."""
    models = _models(target, tls_ca, config, model_dir, model_repository)
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
        labels = str(len(next(iter(model.heads.values())))) if model.heads else ""
        size = f"{model.input_width}x{model.input_height} {model.input_color}" if model.heads else ""
        mark = "*" if model.is_default else ""
        table.add_row(model.name + mark, _version(model), labels, size, model.license, _note(model))
    for detector in detectors:
        note = detector.description if detector.available else f"{detector.description}; {detector.way_to_get_it}"
        table.add_row(detector.name, detector.version, "faces", "", detector.license, note)
    plain_console().print(table)


def _version(model: ModelDescription) -> str:
    aliases = [alias for alias in model.aliases if alias != "latest"]
    return f"{model.version} ({', '.join(aliases)})" if aliases else model.version


def _note(model: ModelDescription) -> str:
    """What it is, and what is the matter with it."""
    state = "" if model.state.value == "ready" else model.state.value
    return "; ".join(filter(None, (": ".join(filter(None, (state, model.reason))), model.description)))


@app.command("info", cls=Command)
def info_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="NAME or NAME@VERSION; by default the default model.")
    ] = "",
    json: flags.Json = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model_dir: flags.ModelDir = None,
    model_repository: flags.ModelRepository = None,
    config: flags.ConfigFile = None,
) -> None:
    """Show everything that a model says of itself."""
    model = _model(name, target, tls_ca, config, model_dir, model_repository)
    if json:
        _print_json(model)
        return
    from ferserve.cli.table import model_table, plain_console

    plain_console().print(model_table(model))


@app.command("load", cls=Command)
def load_command(
    name: ModelName,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    config: flags.ConfigFile = None,
) -> None:
    """Let a running server read a model's files again; open streams change over once they are warm."""
    from ferserve.client.admin import load_model

    for model in load_model(_required(target), name, tls=flags.load(config, tls_ca=tls_ca).tls):
        print(f"{model.name}@{model.version} {model.state.value}")


@app.command("unload", cls=Command)
def unload_command(
    name: ModelName,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    config: flags.ConfigFile = None,
) -> None:
    """Let a running server take a model from the callers to come; open streams keep it to their end."""
    from ferserve.client.admin import unload_model

    unload_model(_required(target), name, tls=flags.load(config, tls_ca=tls_ca).tls)


def _required(target: str | None) -> str:
    if target is None:
        raise typer.BadParameter("must name the server, got nothing", param_hint="--target")
    return target


def _models(
    target: str | None, tls_ca: str | None, config: Path | None, folder: str | None, repository: str | None
) -> list[ModelDescription]:
    if target is not None:
        with connect_server(target, config, tls_ca) as client:
            return client.models()
    require_no_tls(tls_ca)
    return local_index(folder, repository, config).describe_all()


def _model(
    name: str,
    target: str | None,
    tls_ca: str | None,
    config: Path | None,
    folder: str | None,
    repository: str | None,
) -> ModelDescription:
    if target is not None:
        with connect_server(target, config, tls_ca) as client:
            return client.model(name)
    require_no_tls(tls_ca)
    index = local_index(folder, repository, config)
    return index.describe(*index.find(name))


def local_index(folder: str | None, repository: str | None, config: Path | None) -> ModelIndex:
    """The models that an engine of this configuration can serve; none of the models is loaded."""
    from ferserve.runtime.index import index_files

    loaded = flags.load(config, engine_model_dir=folder, engine_model_repository=repository)
    return index_files(loaded.engine)


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
