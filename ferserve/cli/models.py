"""``ferserve models``."""

from __future__ import annotations

import dataclasses
import json as json_lib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferserve.cli import flags
from ferserve.cli.connect import connect_server, require_no_tls

if TYPE_CHECKING:
    from ferserve.types import ModelDescription

app = typer.Typer(help="The models at hand.", no_args_is_help=True)


@app.command("list")
def list_command(
    json: flags.Json = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model_dir: flags.ModelDir = None,
    config: flags.ConfigFile = None,
) -> None:
    """Every model, the default one marked."""
    models = _models(target, tls_ca, model_dir, config)
    if json:
        for model in models:
            _print_json(model)
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
    plain_console().print(table)


@app.command("info")
def info_command(
    name: Annotated[str, typer.Argument(help="Name of a model; the default one if left out.")] = "",
    json: flags.Json = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model_dir: flags.ModelDir = None,
    config: flags.ConfigFile = None,
) -> None:
    """Everything that a model says of itself."""
    model = _model(name, target, tls_ca, model_dir, config)
    if json:
        _print_json(model)
        return
    from ferserve.cli.table import model_table, plain_console

    plain_console().print(model_table(model))


@app.command("pull")
def pull_command(
    name: Annotated[str, typer.Argument(help="Name of the model to fetch: yunet.")],
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Take it from this file, where there is no network.")
    ] = None,
) -> None:
    """Fetch a model that is not bundled; it is checked before it is put in place."""
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
    """What an engine of this configuration would serve; no model is loaded for it."""
    from ferserve.models.description import describe
    from ferserve.runtime.default_model import open_store

    store, default = open_store(flags.load(config, engine_model_dir=model_dir).engine)
    return [describe(file, runs_on="", is_default=file is default) for file in store.models()]


def _print_json(model: ModelDescription) -> None:
    print(json_lib.dumps(dataclasses.asdict(model)), flush=True)
