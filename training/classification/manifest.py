"""``run.json``: the options that decide which images a run learns from, so that later commands divide them alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ferserve.errors import ConfigError
from training.classification.prepare import Parts, prepare
from training.classification.recipe import ClassificationRecipe
from training.errors import CheckpointError
from training.recipe import RunOptions, get_recipe

FILE = "run.json"
NAMES = ("seed", "limit", "balanced", "split_by", "task")
"""Options of a run that change its training or its test images."""
LATER_NAMES = ("batch", "init")
"""Options that change what is learnt from them; runs from before there were such options had none."""


def write_manifest(recipe: str, options: RunOptions) -> None:
    """Write ``run.json`` into ``options.out``.

    Raises :class:`CheckpointError` if the run to resume had other options: its test images may be among ours.
    """
    path = options.out / FILE
    ours = {name: getattr(options, name) for name in (*NAMES, *LATER_NAMES)}
    if options.resume and path.is_file():
        theirs = _read(path)
        for name, value in ours.items():
            if value != theirs[name]:
                wanted = f"{name} must be {theirs[name]} as in the run to resume, got {value}"
                raise CheckpointError(f"{path}: {wanted}; choose another --out")
    path.write_text(json.dumps({"recipe": recipe} | ours, indent=1) + "\n")


def parts_of_run(run: Path, data: Path, limit: int | None = None) -> tuple[ClassificationRecipe, Parts]:
    """Recipe and parts of the finished run in folder ``run``, divided as it divided them.

    ``limit`` thins the training images further. Raises :class:`ConfigError` unless ``run`` is a classification's.
    """
    path = run / FILE
    if not path.is_file():
        raise ConfigError(f"run must be the folder of a run, got {run} without {FILE}{_way_out(run)}")
    manifest = _read(path)
    recipe = get_recipe(manifest["recipe"])
    if not isinstance(recipe, ClassificationRecipe):
        raise ConfigError(f"{path}: recipe must be a classification, got {manifest['recipe']}")
    options = RunOptions(data, run, **{name: manifest[name] for name in (*NAMES, *LATER_NAMES)})
    return recipe, prepare(recipe, options if limit is None else replace(options, limit=limit))


def _way_out(folder: Path) -> str:
    """Other recipes write model files and no manifest; such files are measured one by one."""
    files = sorted(path.name for path in folder.glob("*.onnx"))
    return f"; name one of its files instead: {', '.join(files)}" if files else "; `run` makes one"


def _read(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text())
        return {name: manifest[name] for name in ("recipe", *NAMES)} | {n: manifest.get(n) for n in LATER_NAMES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: file must hold a run's options, got {error!r}; start anew") from None
