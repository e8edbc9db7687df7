"""Loads, audits, thins and splits a data set into the parts of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.classification.recipe import ClassificationRecipe
from training.classification.split import split_off, thin_out
from training.data.audit import Audit, audit
from training.data.samples import Samples, require_classes
from training.errors import DataError
from training.recipe import RunOptions


@dataclass(frozen=True)
class Parts:
    """``train`` for training, ``validation`` for each epoch, ``tests`` by name for the end."""

    train: Samples
    validation: Samples
    tests: Mapping[str, Samples]
    selects: bool
    """True if ``validation`` picks the best epoch."""
    audit: Audit

    @property
    def by_name(self) -> dict[str, Samples]:
        """All parts; ``validation`` only if it is none of the tests."""
        watched = {"validation": self.validation} if self.selects else {}
        return {"train": self.train, **watched, **self.tests}


def prepare(recipe: ClassificationRecipe, options: RunOptions) -> Parts:
    """Load, audit and split; raises :class:`DataError` for data that cannot be trained on."""
    report = audit(recipe.load(options))
    for line in report.lines():
        print(line)
    samples, by = report.clean, options.split_by or recipe.split_by
    train, tests = _part_off_tests(samples, recipe, options, by)
    train = thin_out(train, options.limit, options.seed)
    official = samples.select(samples.split == "validation")
    if len(official):
        validation, selects = official, True
    elif recipe.validation:
        train, validation = split_off(train, recipe.validation, options.seed, by)
        selects = True
    else:
        validation, selects = next(iter(tests.values())), False
    require_classes(train, str(options.data))
    return Parts(train, validation, tests, selects, report)


def _part_off_tests(
    samples: Samples, recipe: ClassificationRecipe, options: RunOptions, by: str
) -> tuple[Samples, dict[str, Samples]]:
    """(training rows, test parts by name): the set's own split, else a part held out."""
    if (samples.split == "").all():
        train, test = split_off(samples, recipe.test or 0.2, options.seed, by)
        return train, {"test": test}
    names = [name for name in dict.fromkeys(samples.split.tolist()) if name not in ("train", "validation")]
    if not names:
        raise DataError(f"{options.data}: data must hold a test split beside train, got none")
    tests = {str(name): samples.select(np.asarray(samples.split == name)) for name in names}
    return samples.select(np.asarray(samples.split == "train")), tests
