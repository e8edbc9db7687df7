"""The contract of recipes: each is a module in ``training/recipes`` with a docstring and a ``RECIPE``.

The docstring says source, command, expected time and expected accuracy, in that order.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from ferserve.errors import ConfigError
from training.errors import CheckpointError, WeightsError

OWN_OPTIONS = {"balanced": False, "split_by": None, "task": None, "faces": None, "init": None, "batch": None}
"""Options that only some recipes take, with the value of one that was not given."""
INITIALIZERS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal")
"""Names in Keras."""
LAST_SEED = 2**31 - 1
"""Generations, rounds and processes add their number to the seed; Keras takes twice as much."""


@dataclass(frozen=True)
class RunOptions:
    """Options of ``python -m training run``; None leaves the choice to the recipe."""

    data: Path
    """Folder or file with the training data, in the real on-disk format of the data set."""
    out: Path
    """Folder for everything the run writes, checkpoints included."""
    epochs: int | None = None
    limit: int | None = None
    """Use at most this many training images, for a quick try."""
    weights: str | None = None
    """``imagenet``, ``none``, or the path of a weight file; None leaves the choice to the recipe."""
    resume: bool = False
    seed: int = 1
    balanced: bool = False
    """FER2013 study: six classes without disgust, about 3,000 images each."""
    split_by: Literal["person", "image"] | None = None
    """Whether images of one person may be on both sides of a split (``image``) or not (``person``)."""
    task: str | None = None
    """One head of a multi-head model, or ``all``."""
    batch: int | None = None
    """Images in a batch; None leaves the choice to the recipe."""
    init: str | None = None
    """One of :data:`INITIALIZERS`, for the kernels of layers that start from random numbers."""
    faces: Path | None = None
    """Folder of photographs without labels; teachers label their faces."""

    def __post_init__(self) -> None:
        for name in ("epochs", "limit", "batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}")
        if not 0 <= self.seed <= LAST_SEED:
            raise ConfigError(f"seed must be from 0 to {LAST_SEED}, got {self.seed}")
        if self.init not in (None, *INITIALIZERS):
            raise ConfigError(f"init must be one of {', '.join(INITIALIZERS)}, got {self.init!r}")
        if self.split_by not in (None, "person", "image"):
            raise ConfigError(f"split_by must be person or image, got {self.split_by!r}")
        # A recipe may need the file only after hours of training.
        if self.weights not in (None, "imagenet", "none", "") and not Path(self.weights).is_file():
            raise WeightsError(f"weights must be imagenet, none or a file, got {self.weights}, which is not there")

    def weight_file(self) -> Path | None:
        """The file that ``weights`` names, or None; :class:`WeightsError` for ``imagenet``."""
        if self.weights == "imagenet":
            raise WeightsError("weights must be none or a file for this recipe, got imagenet")
        return Path(self.weights) if self.weights not in (None, "none", "") else None

    def require_new_run(self, states: str) -> None:
        """Raise :class:`CheckpointError` if ``out`` holds an earlier run and ``resume`` is off.

        ``states`` is the pattern, below ``out``, of the files that such a run resumes from.
        """
        found = sorted(self.out.glob(states))
        if found and not self.resume:
            raise CheckpointError(f"{self.out}: folder must hold no run, got {found[0]}; --resume it or move it")


class Recipe(Protocol):
    """A training that one command runs from data to a served model."""

    @property
    def name(self) -> str:
        """The name on the command line, equal to the module's."""

    @property
    def summary(self) -> str:
        """One line for ``python -m training list``."""

    @property
    def takes(self) -> tuple[str, ...]:
        """The :data:`OWN_OPTIONS` that it takes."""

    def run(self, options: RunOptions) -> Path:
        """Train and export; returns the folder that ``ferserve serve --model`` takes."""


def require_own_options(recipe: Recipe, options: RunOptions) -> None:
    """Raise :class:`ConfigError` for an option that ``recipe`` does not take."""
    for name, unset in OWN_OPTIONS.items():
        value = getattr(options, name)
        if value != unset and name not in recipe.takes:
            raise ConfigError(f"{name} must be left out for recipe {recipe.name}, got {value}")


def recipe_summaries() -> dict[str, str]:
    """First line of each recipe's docstring by name, read without importing the recipe."""
    folder = Path(__file__).parent / "recipes"
    found = {}
    for path in sorted(folder.glob("[!_]*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[path.stem] = text.partition("\n")[0]
    return found


def get_recipe(name: str) -> Recipe:
    """The recipe ``name``; raises :class:`ConfigError` that names the nearest one."""
    names = recipe_summaries()
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"recipe must be one of {', '.join(names)}, got {name!r}{hint}")
    recipe: Recipe = importlib.import_module(f"training.recipes.{name}").RECIPE
    return recipe
