"""Probabilities over time, in as many points as a picture can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve.analysis.columns import emotion_labels
from ferserve.analysis.rows import Row

Numbers = NDArray[np.float64]

Band: TypeAlias = tuple[int, int, str, bool]
"""A run of one label: first bin, bin after the last, label, and whether it was mostly sure."""

_MOST_BINS = 1000


@dataclass
class Bin:
    """What one person showed during one bin; arrays float64 (K,) by label."""

    count: int
    total: Numbers
    low: Numbers
    high: Numbers
    labels: Counter[str] = field(default_factory=Counter)
    """Looks by steady label."""
    sure: int = 0

    def merge(self, other: Bin) -> None:
        """Add what ``other`` saw."""
        labels = max(len(self.total), len(other.total))
        self.count += other.count
        self.total = _wide(self.total, labels) + _wide(other.total, labels)
        self.low = np.minimum(_wide(self.low, labels), _wide(other.low, labels))
        self.high = np.maximum(_wide(self.high, labels), _wide(other.high, labels))
        self.labels += other.labels
        self.sure += other.sure


class Timeline:
    """Takes rows of one source in the order of its frames, and keeps at most 1000 bins per person.

    A bin is a look (a frame that was looked at) or, in longer videos, 2, 4, 8, ... of them, with the least, the mean
    and the highest probability of each label: what is short is not lost.
    """

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.tracks: dict[int, dict[int, Bin]] = {}
        """Bins by number by track, the tracks in the order of their first look."""
        self.looks: dict[int, int] = {}
        """Number of looks by track."""
        self.starts_s: list[float] = []
        """Time of the first look of each bin."""
        self.last_s = 0.0
        """Time of the last look."""
        self._stride = 1
        self._look = -1
        self._frame: int | None = None

    def add(self, row: Row) -> None:
        """Take one row of :func:`ferserve.analysis.rows.table_rows` or of a file."""
        if row["outcome"] not in ("face", "no_face"):
            return
        if row["frame"] != self._frame:
            self._frame = row["frame"]
            self._begin_look(row["time_s"])
        if row["outcome"] == "face":
            self._see(row)

    def _begin_look(self, time_s: float) -> None:
        self._look += 1
        if self._look == _MOST_BINS * self._stride:
            self._halve()
        if self._look % self._stride == 0:
            self.starts_s.append(time_s)
        self.last_s = time_s

    def _halve(self) -> None:
        self._stride *= 2
        self.starts_s = self.starts_s[::2]
        for track, bins in self.tracks.items():
            merged: dict[int, Bin] = {}
            for number, one in bins.items():
                if number // 2 in merged:
                    merged[number // 2].merge(one)
                else:
                    merged[number // 2] = one
            self.tracks[track] = merged

    def _see(self, row: Row) -> None:
        if row["track"] not in self.tracks:
            self.tracks[row["track"]] = {}
            self.labels += [label for label in emotion_labels(row) if label not in self.labels]
        values = np.array([row.get(f"p_{label}") or 0.0 for label in self.labels])
        seen = Bin(1, values, values, values, Counter([row["label"]]), int(bool(row["sure"])))
        bins, number = self.tracks[row["track"]], self._look // self._stride
        if number in bins:
            bins[number].merge(seen)
        else:
            bins[number] = seen
        self.looks[row["track"]] = self.looks.get(row["track"], 0) + 1

    @property
    def edges_s(self) -> Numbers:
        """Where bins begin, and where the last one ends, which lasts as long as others: float64 (bins + 1,), s."""
        starts = np.array(self.starts_s)
        if not len(starts):
            return starts
        step = (self.last_s - starts[0]) / self._look if self._look and self.last_s > starts[0] else 1.0
        return np.append(np.maximum.accumulate(starts), max(self.last_s, starts.max()) + step)

    def series(self, track: int) -> tuple[Numbers, Numbers, Numbers]:
        """Least, mean and highest probability per label and bin: float64 (K, bins), NaN while ``track`` is away."""
        low, mean, high = (np.full((len(self.labels), len(self.starts_s)), np.nan) for _ in range(3))
        for number, one in self.tracks[track].items():
            size = len(self.labels)
            low[:, number], high[:, number] = _wide(one.low, size), _wide(one.high, size)
            mean[:, number] = _wide(one.total, size) / one.count
        return low, mean, high

    def bands(self, track: int) -> list[Band]:
        """Runs of one label of ``track``."""
        runs: list[Band] = []
        for number, one in self.tracks[track].items():
            label, sure = one.labels.most_common(1)[0][0], 2 * one.sure > one.count
            if runs and runs[-1][1:] == (number, label, sure):
                runs[-1] = (runs[-1][0], number + 1, label, sure)
            else:
                runs.append((number, number + 1, label, sure))
        return runs


def _wide(values: Numbers, size: int) -> Numbers:
    """``values`` with zeros for labels that came later."""
    return values if len(values) == size else np.pad(values, (0, size - len(values)))


def readable(bands: Sequence[Band], edges_s: Numbers, narrow_s: float) -> list[Band]:
    """``bands`` without any that are narrower than ``narrow_s`` and follow each other.

    Those of one label become one, which is sure if most of it is; those of several become one without a label.
    """
    steady = _merged(bands, edges_s, narrow_s, same_label=True)
    return _merged(steady, edges_s, narrow_s, same_label=False)


def _merged(bands: Sequence[Band], edges_s: Numbers, narrow_s: float, *, same_label: bool) -> list[Band]:
    def seconds(band: Band) -> float:
        return float(edges_s[band[1]] - edges_s[band[0]])

    merged: list[Band] = []
    for band in bands:
        before = merged[-1] if merged and merged[-1][1] == band[0] else None
        if before is None:
            merged.append(band)
        elif before[2:] == band[2:]:
            merged[-1] = (before[0], *band[1:])
        elif same_label and before[2] == band[2] and min(seconds(before), seconds(band)) < narrow_s:
            longer = max(before, band, key=seconds)
            merged[-1] = (before[0], band[1], band[2], longer[3])
        elif not same_label and seconds(band) < narrow_s and (not before[2] or seconds(before) < narrow_s):
            merged[-1] = (before[0], band[1], "", False)
        else:
            merged.append(band)
    return merged
