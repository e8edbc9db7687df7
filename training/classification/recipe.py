"""Declares a published classification work as data, so that one runner trains them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ferserve.models.spec import InputSpec
from training.classification.augment import Augmentation
from training.data.samples import Samples
from training.models.request import ModelRequest
from training.recipe import RunOptions, require_own_options


@dataclass(frozen=True)
class Plateau:
    """Lower the learning rate by ``factor`` after ``patience`` epochs without a better value of ``monitor``."""

    factor: float
    patience: int
    min_learning_rate: float
    monitor: Literal["loss", "val_loss", "accuracy", "val_accuracy"] = "val_loss"
    """``accuracy`` is that of the training images, as in Keras."""


@dataclass(frozen=True)
class Pruning:
    """Magnitude pruning while training, from ``begin`` to ``end`` of all steps; see training/common."""

    sparsity: float
    begin: float = 0.2
    end: float = 0.8


@dataclass(frozen=True)
class ClassificationRecipe:
    """A work's training as published; training/classification/run.py runs it."""

    name: str
    summary: str
    work: str
    """The publication that the recipe follows."""
    load: Callable[[RunOptions], Samples]
    build: Callable[[ModelRequest], Any]
    """Makes the Keras model; imports Keras inside."""
    input: InputSpec
    epochs: int
    batch_size: int = 64
    balanced_batch_size: int | None = None
    """With ``--balanced``; None: ``batch_size``."""
    learning_rate: float = 1e-3
    """Learning rate of Adam, which all five works use or leave open."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    plateau: Plateau | None = None
    pruning: Pruning | None = None
    test: float = 0.0
    """Share held out for the test if the set has no official test part."""
    validation: float = 0.0
    """Share of the training images that picks the best epoch; 0 keeps the last epoch and only watches the test."""
    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    """Figure that picks the best epoch."""
    split_by: Literal["person", "image"] = "person"
    weights: str = "none"
    published: Mapping[str, float] = field(default_factory=dict)
    """The work's own figures, for the model card: percent by name."""
    published_balanced: Mapping[str, float] = field(default_factory=dict)
    """Its figures with ``--balanced``."""
    takes: tuple[str, ...] = ()
    """Options of its own that the recipe takes, of :data:`training.recipe.OWN_OPTIONS`."""
    measure: Callable[[Path, Samples, InputSpec], dict[str, Any]] | None = None
    """Measures the exported file on the test part, if figures of cost are part of the work: (file, part, input) to
    figures by name."""

    def batch_size_for(self, options: RunOptions) -> int:
        """Images in a batch: the caller's choice, else the work's."""
        if options.batch is not None:
            return options.batch
        return (self.balanced_batch_size if options.balanced else None) or self.batch_size

    def published_for(self, options: RunOptions) -> Mapping[str, float]:
        """The work's figures for the setting that runs; those of other heads than ``--task`` are left out."""
        figures = self.published_balanced if options.balanced else self.published
        if options.task in (None, "all"):
            return figures
        return {name: value for name, value in figures.items() if name.startswith(str(options.task))}

    def run(self, options: RunOptions) -> Path:
        """Train and export; returns the folder that ``ferserve serve --model`` takes."""
        require_own_options(self, options)
        from training.classification.run import run_recipe

        return run_recipe(self, options)
