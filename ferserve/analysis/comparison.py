"""How far two runs agree about the same video."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.analysis.face_pairs import NEEDED, looks_of, paired_faces, paired_looks, paired_sources
from ferserve.analysis.row_source import rows_of
from ferserve.analysis.tables import TableLike
from ferserve.errors import TableError
from ferserve.rendering.json import rounded


@dataclass(frozen=True)
class TrackPair:
    """A track of one run that was seen in the place of a track of the other."""

    source: str | None
    track_a: int
    track_b: int
    faces: int
    """Frames in which both were the same face."""
    mean_iou: float
    """Mean overlap of their boxes; NaN without boxes."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far two runs, ``a`` and ``b``, agree about the faces that both saw in the frames that both looked at."""

    labels: tuple[str, ...]
    """Labels that either gave, in alphabetical order."""
    confusion: NDArray[np.int64]
    """Faces by the label of a (rows) and of b (columns), int64 (K, K)."""
    tracks: tuple[TrackPair, ...]
    """Tracks that were the same person, those with most faces first."""
    frames: int
    """Frames that both looked at."""
    frames_only_a: int
    frames_only_b: int
    faces_only_a: int
    """Faces in frames of both that only a saw."""
    faces_only_b: int

    @property
    def faces(self) -> int:
        """Faces that both saw, and whose labels are compared."""
        return int(self.confusion.sum())

    @property
    def agreed(self) -> float:
        """Share of the faces to which both gave the same label, in [0, 1]; NaN without faces."""
        return float(np.trace(self.confusion)) / self.faces if self.faces else float("nan")

    @property
    def kappa(self) -> float:
        """Cohen's kappa (1960, doi:10.1177/001316446002000104): agreement beyond chance, 1 for all, 0 for chance.

        NaN without faces, or if both runs give one and the same label throughout.
        """
        total = self.faces
        chance = int(self.confusion.sum(0) @ self.confusion.sum(1))  # over total squared
        if not total or chance == total * total:
            return float("nan")
        return float((total * np.trace(self.confusion) - chance) / (total * total - chance))

    @property
    def by_label(self) -> dict[str, float]:
        """Agreement on each label: faces to which both gave it, over the mean of those to which each gave it."""
        given = self.confusion.sum(0) + self.confusion.sum(1)
        shares = 2 * np.diag(self.confusion) / np.maximum(given, 1)
        return {label: float(share) for label, share, count in zip(self.labels, shares, given, strict=True) if count}

    def to_dict(self) -> dict[str, Any]:
        """All of it in the types of JSON, with four decimals; None for NaN."""
        names = ("frames", "frames_only_a", "frames_only_b", "faces", "faces_only_a", "faces_only_b")
        plain: dict[str, Any] = {name: getattr(self, name) for name in names}
        plain |= {"agreed": _known(self.agreed), "kappa": _known(self.kappa), "by_label": self.by_label}
        plain |= {"labels": list(self.labels), "confusion": self.confusion.tolist()}
        plain["tracks"] = [vars(pair) | {"mean_iou": _known(pair.mean_iou)} for pair in self.tracks]
        result: dict[str, Any] = rounded(plain)
        return result

    def __repr__(self) -> str:
        return f"Agreement({self.agreed:.1%} of {self.faces} faces in {self.frames} frames, kappa {self.kappa:.2f})"


def agreement(a: TableLike, b: TableLike, *, min_iou: float = 0.5, sure_only: bool = False) -> Agreement:
    """Compare two runs over the same video or videos: two models, two settings, or a model and a person.

    Frames are compared that both looked at, at the same time to the millisecond (at the same number if times do not
    tell frames apart, as in pictures). In each, faces are paired by the overlap of their boxes, best pair first. If a
    table has no boxes, such as that of a human coder, faces of one track are a pair.

    Args:
        a: Results, a path or a table; see :func:`ferserve.analysis.to_pandas`. Sources are matched by name, unless both
            have one.
        b: The other run.
        min_iou: Least intersection over union of a pair, above 0 to 1.
        sure_only: Compare the labels of pairs only if both are sure.

    Raises:
        TableError: One is no table of faces, or they have no source or no frame in common.
        ValueError: ``min_iou`` is out of range.
        MissingPackageError: A file or a table of pandas is given, and the extra ``analysis`` is not installed.
    """
    if not 0 < min_iou <= 1:
        raise ValueError(f"min_iou must be above 0 and at most 1, got {min_iou}")
    runs = [looks_of(rows_of(table, None, NEEDED.__contains__)) for table in (a, b)]
    counts = _Counts()
    for source, looks_a, looks_b in paired_sources(*runs):
        counts.compare(source, looks_a, looks_b, min_iou, sure_only)
    if not counts.frames:
        raise TableError(f"tables must have frames in common, got {_span(runs[0])} and {_span(runs[1])}")
    return counts.agreement()


class _Counts:
    def __init__(self) -> None:
        self.frames = self.only_frames_a = self.only_frames_b = self.only_a = self.only_b = 0
        self.labels: Counter[tuple[str, str]] = Counter()
        self.overlaps: dict[tuple[str | None, int, int], list[float]] = defaultdict(list)

    def compare(self, source: str | None, a: Any, b: Any, min_iou: float, sure_only: bool) -> None:
        frames = 0
        for look_a, look_b in paired_looks(a, b):
            frames += 1
            pairs = 0
            for face_a, face_b, iou in paired_faces(look_a.faces, look_b.faces, min_iou):
                pairs += 1
                self.overlaps[source, face_a.track, face_b.track].append(iou)
                if not sure_only or (face_a.sure and face_b.sure):
                    self.labels[face_a.label, face_b.label] += 1
            self.only_a += len(look_a.faces) - pairs
            self.only_b += len(look_b.faces) - pairs
        self.frames += frames
        self.only_frames_a += len(a) - frames
        self.only_frames_b += len(b) - frames

    def agreement(self) -> Agreement:
        labels = tuple(sorted({label for pair in self.labels for label in pair}))
        confusion = np.zeros((len(labels), len(labels)), np.int64)
        for (label_a, label_b), count in self.labels.items():
            confusion[labels.index(label_a), labels.index(label_b)] = count
        tracks = [TrackPair(*key, len(ious), sum(ious) / len(ious)) for key, ious in self.overlaps.items()]
        tracks.sort(key=lambda pair: -pair.faces)
        only = (self.only_frames_a, self.only_frames_b, self.only_a, self.only_b)
        return Agreement(labels, confusion, tuple(tracks), self.frames, *only)


def _known(number: float) -> float | None:
    return None if np.isnan(number) else number


def _span(run: Any) -> str:
    times = [look.time_ms / 1000 for looks in run.values() for look in looks.values()]
    return f"{min(times):g} s to {max(times):g} s" if times else "no frame"
