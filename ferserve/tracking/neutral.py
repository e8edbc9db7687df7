"""A person's own neutral face.

Some faces read as sad or angry when they rest. From frames in which a person is known to be neutral, the mean reading
``b`` is taken as the person's reference, and every later reading is re-weighted so that ``b`` itself becomes the
target ``t``: ``p'_k`` proportional to ``p_k * t_k / b_k``. This is the re-weighting of posteriors for a shifted prior
(Saerens et al. 2002, "Adjusting the Outputs of a Classifier to New a Priori Probabilities", eq. 2.4), with the weights
bounded, so that no reference can forbid an emotion.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferserve.types import HeadResult

NEUTRAL = "neutral"
TARGET = 0.8
"""What a person's own neutral face shall read as neutral."""
LIMIT = 4.0
"""Largest factor, and one over the smallest, by which a reading is re-weighted."""


@dataclass(slots=True)
class _Reference:
    since_ns: int
    total: NDArray[np.float64]
    count: int = 0
    weights: NDArray[np.float32] | None = None


class NeutralCalibration:
    """References for the tracks of one stream, one a head; heads without a label ``neutral`` pass through."""

    def __init__(self, first_ms: float) -> None:
        """Each track is taken to be neutral for its ``first_ms``; 0 where only marked frames count."""
        self._first_ns = first_ms * 1e6
        self._references: dict[tuple[int, str], _Reference] = {}

    def correct(self, track_id: int, raw: HeadResult, now_ns: int, *, neutral: bool) -> HeadResult:
        """The result in the light of the person's reference; ``neutral`` marks a frame that belongs to it."""
        if NEUTRAL not in raw.labels:
            return raw
        key = (track_id, raw.name)
        reference = self._references.get(key)
        if reference is None:
            if not neutral and self._first_ns <= 0:
                return raw
            reference = _Reference(now_ns, np.zeros(len(raw.labels)))
            self._references[key] = reference
        if neutral or now_ns - reference.since_ns < self._first_ns:
            reference.total += raw.probabilities
            reference.count += 1
            reference.weights = _weights(reference.total / reference.count, raw.labels.index(NEUTRAL))
        if reference.weights is None:
            return raw
        weighted = raw.probabilities * reference.weights
        return raw.with_probabilities(np.asarray(weighted / weighted.sum(), np.float32))

    def forget_others(self, known_ids: Collection[int]) -> None:
        """Drop all tracks but these, so that memory does not grow."""
        for key in [key for key in self._references if key[0] not in known_ids]:
            del self._references[key]


def _weights(reference: NDArray[np.float64], neutral: int) -> NDArray[np.float32]:
    target = np.full(len(reference), (1 - TARGET) / max(len(reference) - 1, 1))
    target[neutral] = TARGET
    return np.clip(target / np.maximum(reference, 1e-6), 1 / LIMIT, LIMIT).astype(np.float32)
