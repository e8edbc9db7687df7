"""What every recipe is: a module in ``training/recipes`` with a docstring and a ``RECIPE``.

The docstring says source, command, expected time and expected accuracy, in that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class RunOptions:
    """What ``python -m training run`` was asked for; None leaves the choice to the recipe."""

    data: Path
    """Folder or file with the training data, in the real on-disk format of the data set."""
    out: Path
    """Folder that receives everything the run makes; checkpoints are resumed from here."""
    epochs: int | None = None
    limit: int | None = None
    """Use at most this many training images, for a quick try."""
    weights: str = "none"
    """``imagenet``, ``none``, or the path of a weight file."""
    resume: bool = False
    seed: int = 1


class Recipe(Protocol):
    """A training that one command runs from data to a served model."""

    @property
    def name(self) -> str:
        """The name on the command line, equal to the module's."""

    @property
    def summary(self) -> str:
        """One line for ``python -m training list``."""

    def run(self, options: RunOptions) -> Path:
        """Train and export; returns the folder that ``ferserve serve --model`` takes."""
