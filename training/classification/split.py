"""Splits samples: by person if the set names persons, else by image, stratified by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.data.samples import Samples
from training.errors import DataError


def split_off(samples: Samples, part: float, seed: int, by: str = "person") -> tuple[Samples, Samples]:
    """(rest, about ``part`` of the images). ``by`` ``person`` keeps each person on one side.

    Raises :class:`DataError` if a side would be empty: a set of one person cannot be split by person.
    """
    if by == "person" and samples.subject is not None:
        chosen = _persons(samples.subject, part, seed, samples.places[0])
    else:
        chosen = _stratified(samples.targets[samples.head], part, seed)
    if not chosen.any() or chosen.all():
        where = samples.places[0] if len(samples) else samples.terms.name
        raise DataError(
            f"{where}: split must leave images on both sides, got {int(chosen.sum())} of {len(samples)}; "
            "bring more images"
        )
    return samples.select(~chosen), samples.select(chosen)


def _persons(subject: NDArray[np.str_], part: float, seed: int, where: str) -> NDArray[np.bool_]:
    """Mask of whole persons, about ``part`` of them, at least one on each side."""
    persons = np.unique(subject)
    if len(persons) < 2:
        raise DataError(
            f"{where}: split by person must have at least 2 persons, got {len(persons)} "
            f"({', '.join(persons)}); bring more, or pass --split-by image and know that it flatters the figures"
        )
    shuffled = np.random.default_rng([seed, 1]).permutation(persons)
    count = min(max(round(part * len(persons)), 1), len(persons) - 1)
    return np.isin(subject, shuffled[:count])


def _stratified(target: NDArray[np.int64], part: float, seed: int) -> NDArray[np.bool_]:
    """Mask of about ``part`` of each class; a class of one image stays in the rest."""
    rng = np.random.default_rng([seed, 2])
    chosen = np.zeros(len(target), np.bool_)
    for label in np.unique(target):
        rows = rng.permutation(np.flatnonzero(target == label))
        count = min(max(round(part * len(rows)), 1), len(rows) - 1)
        chosen[rows[:count]] = True
    return chosen


def thin_out(samples: Samples, limit: int | None, seed: int) -> Samples:
    """At most ``limit`` samples, stratified by class."""
    if limit is None or limit >= len(samples):
        return samples
    target = samples.targets[samples.head]
    rank = np.empty(len(target))
    rng = np.random.default_rng([seed, 3])
    for label in np.unique(target):
        rows = np.flatnonzero(target == label)
        rank[rows] = (rng.permutation(len(rows)) + 0.5) / len(rows)
    keep = np.argsort(rank, kind="stable")[:limit]
    return samples.select(np.sort(keep))
