"""Labelled faces read for evaluation from one npz file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError
from ferserve.labels import LABEL_SETS
from training.data.arrays import VOTES, luma_images, read_arrays, whole_numbers
from training.errors import DataError

USAGES = ("train", "public_test", "private_test")
"""Splits by their number in the array ``usage``."""
SPLITS = ("test", "all", *USAGES)
"""Splits by name; see :func:`load_labelled`."""


@dataclass(frozen=True)
class Labelled:
    """Images with the truth of one head."""

    images: NDArray[np.uint8]
    """(N, H, W) luma."""
    truth: NDArray[np.int64]
    """(N,) class indices."""
    agreed: NDArray[np.bool_]
    """(N,) True if the label holds more than half of the votes once single votes are dropped: the rows that FER+'s
    authors keep for majority voting (Barsoum et al. 2016, section 3.1). All False without votes."""
    split: str
    rows: NDArray[np.intp]
    """(N,) row numbers in the file, rising."""
    groups: NDArray[np.str_] | None = None
    """(N,) names of groups of people, of the array ``groups``; None if the file has none."""

    def take(self, most: int | None) -> Labelled:
        """At most ``most`` rows, evenly spread."""
        return self._select(slice(None, None, max(1, -(-len(self.truth) // most)) if most else 1))

    def among(self, rows: NDArray[np.intp]) -> Labelled:
        """Those whose row number in the file is among ``rows``."""
        return self._select(np.isin(self.rows, rows))

    def _select(self, chosen: NDArray[np.bool_] | slice) -> Labelled:
        groups = None if self.groups is None else self.groups[chosen]
        return replace(
            self, images=self.images[chosen], truth=self.truth[chosen], agreed=self.agreed[chosen],
            rows=self.rows[chosen], groups=groups,
        )  # fmt: skip


def load_labelled(path: Path, label_set: str, split: str = "test") -> Labelled:
    """Read the rows of ``split`` that have a label in ``label_set``.

    ``test`` means all rows that are not training rows, or all rows if ``usage`` is missing or knows only training.
    For ``ferplus`` the truth is the majority of the ten votes (the first in order if votes are even); rows whose
    majority is unknown or not-a-face are left out. Raises :class:`DataError`.
    """
    if split not in SPLITS:
        raise ConfigError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    arrays = read_arrays(path)
    images = luma_images(arrays, path)
    keep = _rows_of_split(_usage(arrays, len(images), path), len(images), split, path)
    if label_set == "ferplus":
        votes = whole_numbers(arrays, "ferplus_votes", (len(images), VOTES), 255, path)
        truth, agreed = votes.argmax(axis=1), _agreed(votes)
        keep &= (truth < len(LABEL_SETS[label_set])) & (votes.max(axis=1) > 0)
    else:
        truth = whole_numbers(arrays, "labels", (len(images),), len(LABEL_SETS[label_set]) - 1, path)
        agreed = np.zeros(len(images), np.bool_)
    if not keep.any():
        raise DataError(f"{path}: split {split!r} must hold at least one row labelled for {label_set}, got none")
    groups = _groups(arrays, len(images), path)
    return Labelled(
        images[keep], truth[keep], agreed[keep], split, np.flatnonzero(keep), None if groups is None else groups[keep]
    )


def _agreed(votes: NDArray[np.int64]) -> NDArray[np.bool_]:
    kept = np.where(votes > 1, votes, 0)
    return np.asarray(2 * kept.max(axis=1) > kept.sum(axis=1), np.bool_)


def _groups(arrays: Mapping[str, NDArray[Any]], count: int, path: Path) -> NDArray[np.str_] | None:
    if "groups" not in arrays:
        return None
    groups = arrays["groups"]
    if groups.shape != (count,) or groups.dtype.kind != "U":
        got = f"{groups.dtype} {groups.shape}"
        raise DataError(f"{path}: groups must be texts, one for each of {count} images, got {got}")
    return groups


def _usage(arrays: Mapping[str, NDArray[Any]], count: int, path: Path) -> NDArray[np.int64] | None:
    return whole_numbers(arrays, "usage", (count,), len(USAGES) - 1, path) if "usage" in arrays else None


def _rows_of_split(usage: NDArray[np.int64] | None, count: int, split: str, path: Path) -> NDArray[np.bool_]:
    if split == "all" or (split == "test" and (usage is None or not usage.any())):
        return np.ones(count, np.bool_)
    if usage is None:
        raise DataError(f"{path}: arrays must hold 'usage' to choose split {split!r}, got none; leave --split out")
    return usage > 0 if split == "test" else usage == USAGES.index(split)
