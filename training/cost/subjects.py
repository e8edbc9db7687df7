"""The models that can be measured: recipes by name (untrained), files, folders of runs, and what is bundled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError
from ferserve.models.onnx_metadata import read_metadata
from ferserve.models.spec import METADATA_KEY, ModelSpec
from ferserve.models.store import BUNDLED_DIR
from training.classification.figures import unfinished
from training.classification.manifest import FILE as RUN_FILE
from training.classification.recipe import ClassificationRecipe
from training.common.export import export_onnx, read_spec
from training.models.request import ModelRequest
from training.recipe import get_recipe, recipe_summaries

BUNDLED = "bundled"
LABELS = 7
"""Classes of an untrained network: FER2013's."""


@dataclass(frozen=True)
class Subject:
    """A model to measure: its ONNX file, its Keras file if there is one, and whether it was trained."""

    name: str
    onnx: Path
    keras: Path | None
    spec: ModelSpec
    trained: bool
    run: Path | None = None
    """The folder of the run that it comes from."""


def find_subjects(names: list[str], folder: Path) -> list[Subject]:
    """Make or find the files of each name; what is made is written into ``folder``."""
    return [subject for name in names for subject in _find(name, folder)]


def _find(name: str, folder: Path) -> list[Subject]:
    path = Path(name)
    if name == BUNDLED:
        return [_from_onnx(file) for file in _bundled_files()]
    if path.is_dir() and (path / "model.onnx").is_file():
        return [_from_onnx(path / "model.onnx", path / "model.keras")]
    if path.suffix == ".onnx" and path.is_file():
        return [_from_onnx(path)]
    if path.suffix == ".keras" and path.with_suffix(".onnx").is_file():
        return [_from_onnx(path.with_suffix(".onnx"), path)]
    if path.is_dir() and (state := unfinished(path)):
        raise ConfigError(f"model must be the folder of a finished run with model.onnx, got {name}, {state}")
    recipe = get_recipe(name) if name in recipe_summaries() else None
    if isinstance(recipe, ClassificationRecipe):
        return [_untrained(recipe, folder)]
    raise ConfigError(
        f"model must be a recipe's name, {BUNDLED!r}, a run's folder, or an ONNX or Keras file, got {name!r}"
    )


def _bundled_files() -> list[Path]:
    files = [file for file in sorted(BUNDLED_DIR.glob("*.onnx")) if METADATA_KEY in read_metadata(file)]
    if not files:
        raise ConfigError(f"model 'bundled' must be in the package, got no emotion model in {BUNDLED_DIR}")
    return files


def _from_onnx(path: Path, keras_file: Path | None = None) -> Subject:
    spec = read_spec(path)
    run = path.parent if (path.parent / RUN_FILE).is_file() else None
    return Subject(spec.name, path, keras_file if keras_file and keras_file.is_file() else None, spec, True, run)


def _untrained(recipe: ClassificationRecipe, folder: Path) -> Subject:
    """A network with random weights: its speed is that of a trained one."""
    from training.classification.run import untrained_spec

    heads = {"emotion": tuple(f"label_{index}" for index in range(LABELS))}
    height, width, channels = recipe.input.row_shape
    model = recipe.build(ModelRequest((height, width, channels), {"emotion": LABELS}, "none"))
    spec = untrained_spec(recipe, heads)
    files = folder / f"{recipe.name}.onnx", folder / f"{recipe.name}.keras"
    model.save(files[1])
    export_onnx(model, files[0], spec, some_rows(spec, 2))
    return Subject(recipe.name, files[0], files[1], spec, False)


def some_rows(spec: ModelSpec, count: int) -> NDArray[np.float32]:
    """Random input rows of this model, float32 (count, *row_shape)."""
    pixels = np.random.default_rng(1).integers(0, 256, (count, *spec.input.row_shape)).astype(np.float32)
    shape = (-1, 1, 1) if spec.input.layout == "NCHW" else (-1,)
    mean, std = (np.asarray(value, np.float32).reshape(shape) for value in (spec.input.mean, spec.input.std))
    rows: Any = (pixels * np.float32(spec.input.scale) - mean) / std
    return np.asarray(rows, np.float32)
