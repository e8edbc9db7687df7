"""What decides which images a run learns from, kept beside it: later commands must judge on the same test images."""

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


def keep_choices(recipe: str, options: RunOptions) -> None:
    """Write ``run.json`` into ``options.out``.

    Raises :class:`CheckpointError` where the run to resume chose otherwise: its test images may be among ours.
    """
    path = options.out / FILE
    mine = {name: getattr(options, name) for name in NAMES}
    if options.resume and path.is_file():
        theirs = _read(path)
        for name, value in mine.items():
            if value != theirs[name]:
                wanted = f"{name} must be {theirs[name]} as in the run to resume, got {value}"
                raise CheckpointError(f"{path}: {wanted}; choose another --out")
    path.write_text(json.dumps({"recipe": recipe} | mine, indent=1) + "\n")


def parts_of_run(run: Path, data: Path, limit: int | None = None) -> tuple[ClassificationRecipe, Parts]:
    """Recipe and parts of the finished run in folder ``run``, divided as it divided them.

    ``limit`` thins the training images further. Raises :class:`ConfigError` where ``run`` is none of a classification.
    """
    path = run / FILE
    if not path.is_file():
        raise ConfigError(f"run must be the folder of a run, got {run} without {FILE}; `run` makes one")
    chosen = _read(path)
    recipe = get_recipe(chosen["recipe"])
    if not isinstance(recipe, ClassificationRecipe):
        raise ConfigError(f"{path}: recipe must be a classification, got {chosen['recipe']}")
    options = RunOptions(data, run, **{name: chosen[name] for name in NAMES})
    return recipe, prepare(recipe, options if limit is None else replace(options, limit=limit))


def _read(path: Path) -> dict[str, Any]:
    try:
        chosen = json.loads(path.read_text())
        return {name: chosen[name] for name in ("recipe", *NAMES)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: file must hold a run's choices, got {error!r}; start anew") from None
