"""What a stream knows of its faces, without their pixels: enough to go on in another process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEAD_BYTES = 8
PLACE_COLUMNS = 12
AGE_NS = 100_000
"""Unit of ages per head: 32 bits hold five days."""


HeadValues: TypeAlias = "tuple[int, int, int, int, NDArray[np.floating[Any]]]"
"""Of one face and one head: their indices, then of a filter the index of its label and its age, of a neutral
reference the number of its frames and its age, then probabilities (K,)."""


@dataclass(slots=True)
class Handover:
    """A stream after one frame. Columns have one entry per face, in the same order."""

    frame_id: int
    settings: bytes
    """Digest of the settings that filters and references hold for."""
    now_ns: int
    capture_ns: int
    last_track_id: int
    size: tuple[int, int]
    """Of the frame, (width, height) px."""
    track_ids: list[int]
    places: list[float]
    """12 per face: box x0, y0, x1, y1 px, velocity x, y px/s, growth 1/s, score, logarithm of the side when it was
    detected, age and age of the detection in us, misses."""
    heads: list[bytes] = field(default_factory=list)
    """See :func:`head_digest`."""
    labels: list[int] = field(default_factory=list)
    """Number of labels per head."""
    filters: list[HeadValues] = field(default_factory=list)
    references: list[HeadValues] = field(default_factory=list)
    age_s: float = 0.0
    """How long ago it was taken, on another machine's clock, s."""
    _columns: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)

    def column(self, name: str, labels: tuple[str, ...]) -> int:
        """The column of a head, a new one if it has none."""
        known = self._columns.get(name)
        if known is None or known[0] is not labels:
            digest = head_digest(name, labels)
            if digest not in self.heads:
                self.heads.append(digest)
                self.labels.append(len(labels))
            known = self._columns[name] = labels, self.heads.index(digest)
        return known[1]


@lru_cache(maxsize=1024)
def head_digest(name: str, labels: tuple[str, ...]) -> bytes:
    """By what a head is known elsewhere: its name and its labels."""
    return hashlib.blake2b(repr((name, labels)).encode(), digest_size=HEAD_BYTES).digest()
