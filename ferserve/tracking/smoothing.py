"""Probabilities and labels without flicker, per track and head.

Probabilities pass a first-order low-pass filter sampled at irregular times, ``p += (1 - exp(-dt / tau)) * (raw - p)``:
the weight of the past depends on the time elapsed, not on the number of frames. The label has hysteresis: another one
replaces it only after a lead of :data:`HYSTERESIS_MARGIN`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferserve.tracking.relabel import relabelled
from ferserve.types import HeadResult
from ferserve.types.handover import AGE_NS, Handover

HYSTERESIS_MARGIN = 0.3
"""Lead in probability that another label needs to replace the current one.

Wide enough that two labels of similar probability do not alternate, and that the label changes while probabilities
move fast, not when they merely cross. docs/decisions/0043 compares narrower and wider margins.
"""


@dataclass(slots=True)
class FilterState:
    """What is remembered of one head of a track."""

    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    label: int  # index
    time_ns: int

    def relabelled(self, labels: tuple[str, ...]) -> FilterState | None:
        """The state for a model with ``labels``; None if they are others."""
        carried = relabelled(self.probabilities, self.labels, labels)
        return carried and FilterState(labels, carried[0], carried[1].index(self.label), self.time_ns)


class Smoother:
    """Smooths the head results of one stream's tracks."""

    def __init__(self, tau_ms: float) -> None:
        """``tau_ms`` is the time constant; 0 turns smoothing and hysteresis off."""
        self._tau_ns = tau_ms * 1e6
        self._states: dict[tuple[int, str], FilterState] = {}

    def smooth(self, track_id: int, raw: HeadResult, now_ns: int) -> HeadResult:
        """The filtered result, with the input kept as ``raw_probabilities``.

        A new track starts at its first input, and so does a known one if a model with other labels answers now.
        """
        if self._tau_ns <= 0:
            return raw
        key = (track_id, raw.name)
        state = self._states.get(key)
        if state is not None and state.labels is not raw.labels:  # another version of the model answers
            state = state.relabelled(raw.labels)
        if state is None:
            smoothed, label = raw.probabilities, raw.label_index
        else:
            weight = np.float32(-math.expm1(-max(now_ns - state.time_ns, 0) / self._tau_ns))
            smoothed = state.probabilities + weight * (raw.probabilities - state.probabilities)
            leader = raw.leader(smoothed)
            label = leader if smoothed[leader] - smoothed[state.label] >= HYSTERESIS_MARGIN else state.label
        self._states[key] = FilterState(raw.labels, smoothed, label, now_ns)
        return HeadResult(raw.name, raw.labels, smoothed, label, raw.reserved, raw_probabilities=raw.probabilities)

    def retain(self, track_ids: Collection[int]) -> None:
        """Forget all tracks except ``track_ids``, so that memory does not grow."""
        for key in [key for key in self._states if key[0] not in track_ids]:
            del self._states[key]

    def save(self, handover: Handover) -> None:
        """Add the filters of the handover's tracks to it."""
        rows = {track_id: row for row, track_id in enumerate(handover.track_ids)}
        column, now_ns = handover.column, handover.now_ns
        handover.filters = [
            (rows[track_id], column(name, s.labels), s.label, (now_ns - s.time_ns) // AGE_NS, s.probabilities)
            for (track_id, name), s in self._states.items()
            if track_id in rows
        ]

    def load(self, handover: Handover, heads: Mapping[bytes, tuple[str, tuple[str, ...]]]) -> None:
        """Take over the filters of a handover; ``heads`` are the names and labels of today's heads by digest."""
        for row, head, label, age, probabilities in handover.filters:
            known = heads.get(handover.heads[head])
            if known is not None:
                time_ns = handover.now_ns - AGE_NS * age
                state = FilterState(known[1], probabilities, label, time_ns)
                self._states[handover.track_ids[row], known[0]] = state
