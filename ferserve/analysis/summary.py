"""What each person showed, and for how long."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ferserve.analysis.columns import AFFECT, emotion_labels
from ferserve.analysis.look_clock import LookClock
from ferserve.analysis.row_source import rows_of
from ferserve.analysis.rows import Row
from ferserve.analysis.tables import TableLike
from ferserve.rendering.json import rounded

SUMMARY_VERSION = 1
"""Version of the summary; it rises if a field changes its meaning or goes."""

_NEEDED = {"source", "frame", "time_s", "outcome", "track", "label", "confidence", "sure", "model", "model_version"}


@dataclass
class _Person:
    """What is known of one track; ``[0]`` counts frames, ``[1]`` seconds."""

    source: str | None
    track: int
    first_s: float
    last_s: float = 0.0
    label: str = ""
    sure: list[float] = field(default_factory=lambda: [0.0, 0.0])
    by_label: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))
    sums: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))
    transitions: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def see(self, row: Row) -> None:
        if self.label and self.label != row["label"]:
            self.transitions[self.label][row["label"]] += 1
        self.label, self.last_s = row["label"], row["time_s"]
        self._credit(row, 0, 1.0)

    def hold(self, row: Row, seconds: float) -> None:
        """``row`` was true for ``seconds``."""
        self._credit(row, 1, seconds)

    def _credit(self, row: Row, unit: int, weight: float) -> None:
        self.by_label[row["label"]][unit] += weight
        self.sure[unit] += weight * bool(row["sure"])
        for name in ("confidence", *AFFECT):
            value = row.get(name)
            if value is not None:
                self.sums[name][unit] += weight * value

    def to_dict(self, labels: Iterable[str]) -> dict[str, Any]:
        frames, seconds = (sum(both[unit] for both in self.by_label.values()) for unit in (0, 1))
        unit, whole = (1, seconds) if seconds else (0, frames)  # pictures have no time
        plain: dict[str, Any] = {
            "source": self.source,
            "track": self.track,
            "first_s": self.first_s,
            "last_s": self.last_s,
            "frames": int(frames),
            "seconds": seconds,
            "sure": self.sure[unit] / whole,
            "shares": {label: self.by_label.get(label, (0.0, 0.0))[unit] / whole for label in labels},
            "transitions": {a: dict(sorted(to.items())) for a, to in sorted(self.transitions.items())},
        }
        return plain | {f"mean_{name}": both[unit] / whole for name, both in self.sums.items()}


class Summary:
    """Counts rows of the table of faces, one after the other, and says at any time what they come to.

    The rows of a source come in the order of its frames. Memory grows with the number of persons alone.
    """

    def __init__(self) -> None:
        self._persons: dict[tuple[str | None, int], _Person] = {}
        self._clocks: dict[str | None, LookClock] = defaultdict(LookClock)
        self._looks: dict[str | None, tuple[int, list[Row]]] = {}
        self._outcomes: Counter[str] = Counter()
        self._frame: tuple[str | None, int] | None = None
        self._labels: list[str] = []
        self._model: tuple[str | None, str | None] = (None, None)

    def add(self, row: Row) -> None:
        """Take one row of :func:`ferserve.analysis.rows.table_rows` or of a file."""
        source, number = row.get("source"), row["frame"]
        if self._frame != (source, number):
            self._frame = (source, number)
            self._outcomes[row["outcome"]] += 1
            if row["outcome"] in ("face", "no_face"):
                self._end_look(source, self._clocks[source].advance(row["time_s"]))
                self._looks[source] = (number, [])
        if row["outcome"] == "face":
            self._see(row)

    def _see(self, row: Row) -> None:
        key = row.get("source"), row["track"]
        person = self._persons.get(key)
        if person is None:
            person = self._persons[key] = _Person(*key, row["time_s"])
            self._labels += [label for label in emotion_labels(row) if label not in self._labels]
            self._model = row.get("model"), row.get("model_version")
        if row["label"] not in self._labels:
            self._labels.append(row["label"])
        person.see(row)
        self._looks[key[0]][1].append(row)

    def _end_look(self, source: str | None, seconds: float) -> None:
        for row in self._looks.get(source, (0, []))[1]:
            self._persons[source, row["track"]].hold(row, seconds)

    def to_dict(self) -> dict[str, Any]:
        """What the rows so far come to, in the types of JSON, with four decimals."""
        whole = copy.deepcopy(self)
        for source, clock in whole._clocks.items():
            whole._end_look(source, clock.last_s)
        outcomes = {name: self._outcomes[name] for name in ("face", "no_face", "fault", "dropped")}
        plain = {
            "summary_version": SUMMARY_VERSION,
            "model": self._model[0],
            "model_version": self._model[1],
            "frames": {"all": sum(outcomes.values()), **outcomes},
            "persons": [person.to_dict(self._labels) for person in whole._persons.values()],
        }
        result: dict[str, Any] = rounded(plain)
        return result


def summarize(table: TableLike, source: str | None = None) -> dict[str, Any]:
    """What each person showed, and for how long, in the types of JSON.

    A person is a track of a source; track 0 stands for all faces without tracking. A look counts until the next one
    (:class:`ferserve.analysis.look_clock.LookClock`); pictures, which have no time, count once each.

    Args:
        table: Results, a path or a table; see :func:`ferserve.analysis.to_pandas`. Results need no extra.
        source: Name of the video, for results; from a table only its rows are taken.

    Returns:
        ``frames`` by outcome, and ``persons``: ``first_s``, ``last_s``, ``seconds`` and ``frames`` in which they were
        seen; the share of this time in which the label was ``sure``; its ``shares`` by label, which add up to 1;
        ``transitions`` as counts, from label to label; ``mean_confidence``, and ``mean_valence`` and ``mean_arousal``
        if the model has them.

    Raises:
        TableError: It is no table of faces, or has no rows of ``source``.
        MissingPackageError: A file or a table of pandas is given, and the extra ``analysis`` is not installed.
    """
    summary = Summary()
    for row in rows_of(table, source, lambda name: name in _NEEDED or name in AFFECT or name.startswith("p_")):
        summary.add(row)
    return summary.to_dict()
