"""Calibration on a person's own neutral face.

Some faces look sad or angry at rest. The mean ``b`` of a person's results on frames known to be neutral becomes that
person's reference. Every later result is re-weighted so that ``b`` itself maps to the target ``t``: ``p'_k`` is
proportional to ``p_k * t_k / b_k``. This is the re-weighting of posteriors for a shifted prior (Saerens et al. 2002,
"Adjusting the Outputs of a Classifier to New a Priori Probabilities", eq. 2.4), with bounded weights, so that no
reference can rule an emotion out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferserve.tracking.relabel import relabelled
from ferserve.types import HeadResult
from ferserve.types.handover import AGE_NS, Handover

NEUTRAL = "neutral"
NEUTRAL_TARGET = 0.8
"""Probability of ``neutral`` that a person's own neutral face is mapped to."""
MAX_WEIGHT = 4.0
"""Largest weight of a label; the smallest is its reciprocal."""


@dataclass(slots=True)
class Reference:
    """A person's neutral results of one head."""

    labels: tuple[str, ...]
    since_ns: int
    total: NDArray[np.float64]
    count: int = 0
    weights: NDArray[np.float32] | None = None
    mean: NDArray[np.float64] | None = None

    def relabelled(self, labels: tuple[str, ...]) -> Reference | None:
        """The reference for a model with ``labels``; None if they are others."""
        carried = relabelled(self.total, self.labels, labels)
        if carried is None:
            return None
        weights = None if self.weights is None else self.weights[carried[1]]
        mean = None if self.mean is None else self.mean[carried[1]]
        return Reference(labels, self.since_ns, carried[0], self.count, weights, mean)


class NeutralCalibration:
    """One reference per track and head of a stream. Heads without a label ``neutral`` pass unchanged."""

    def __init__(self, first_ms: float) -> None:
        """The first ``first_ms`` of each track count as neutral; with 0, only marked frames do."""
        self._first_ns = first_ms * 1e6
        self._references: dict[tuple[int, str], Reference] = {}

    def correct(self, track_id: int, raw: HeadResult, now_ns: int, *, neutral: bool) -> HeadResult:
        """The result, re-weighted by the person's reference; ``neutral`` adds this result to the reference first."""
        if NEUTRAL not in raw.labels:
            return raw
        key = (track_id, raw.name)
        reference = self._references.get(key)
        if reference is not None and reference.labels is not raw.labels:  # another version of the model answers
            reference = reference.relabelled(raw.labels)
        if reference is None:
            if not neutral and self._first_ns <= 0:
                return raw
            reference = Reference(raw.labels, now_ns, np.zeros(len(raw.labels)))
        self._references[key] = reference
        if neutral or now_ns - reference.since_ns < self._first_ns:
            reference.total += raw.probabilities
            reference.count += 1
            reference.mean = reference.total / reference.count
            reference.weights = _weights(reference.mean, raw.labels.index(NEUTRAL))
        if reference.weights is None:
            return raw
        weighted = raw.probabilities * reference.weights
        return raw.with_probabilities(np.asarray(weighted / weighted.sum(), np.float32))

    def retain(self, track_ids: Collection[int]) -> None:
        """Forget all tracks except ``track_ids``, so that memory does not grow."""
        for key in [key for key in self._references if key[0] not in track_ids]:
            del self._references[key]

    def save(self, handover: Handover) -> None:
        """Add the references of the handover's tracks to it."""
        rows = {track_id: row for row, track_id in enumerate(handover.track_ids)}
        for (track_id, name), r in self._references.items():
            if track_id in rows and r.mean is not None:
                age, column = (handover.now_ns - r.since_ns) // AGE_NS, handover.column(name, r.labels)
                handover.references.append((rows[track_id], column, r.count, age, r.mean))

    def load(self, handover: Handover, heads: Mapping[bytes, tuple[str, tuple[str, ...]]]) -> None:
        """Take over the references of a handover; ``heads`` are the names and labels of today's heads by digest."""
        for row, head, count, age, values in handover.references:
            name, labels = heads.get(handover.heads[head], ("", ()))
            if NEUTRAL in labels:
                mean, since_ns = values.astype(np.float64), handover.now_ns - AGE_NS * age
                weights = _weights(mean, labels.index(NEUTRAL))
                self._references[handover.track_ids[row], name] = Reference(
                    labels, since_ns, mean * count, count, weights, mean
                )


def _weights(reference: NDArray[np.float64], neutral: int) -> NDArray[np.float32]:
    target = np.full(len(reference), (1 - NEUTRAL_TARGET) / max(len(reference) - 1, 1))
    target[neutral] = NEUTRAL_TARGET
    return np.clip(target / np.maximum(reference, 1e-6), 1 / MAX_WEIGHT, MAX_WEIGHT).astype(np.float32)
