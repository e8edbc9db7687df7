"""Probabilities and labels that do not flicker, a track at a time.

Probabilities go through a first-order low-pass filter sampled at irregular times, ``p += (1 - exp(-dt / tau)) * (raw -
p)``: the weight of the past follows from the time that went by, not from the number of frames. The top label has
hysteresis: another label takes over only when it leads by a margin.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferserve.types import HeadResult

LEAD = 0.3
"""By how much another label's probability must lead before it becomes the top label.

Wide enough that two labels which a face stands between do not take turns, and that a label changes where probabilities
move fast and not where they cross: docs/decisions/0043 has what narrower and wider ones do.
"""


@dataclass(slots=True)
class _State:
    probabilities: NDArray[np.float32]
    top: int
    time_ns: int


class Smoother:
    """Smooths what the heads say of the tracks of one stream."""

    def __init__(self, tau_ms: float) -> None:
        """``tau_ms`` is the time constant; 0 turns smoothing and hysteresis off."""
        self._tau_ns = tau_ms * 1e6
        self._states: dict[tuple[int, str], _State] = {}

    def smooth(self, track_id: int, raw: HeadResult, now_ns: int) -> HeadResult:
        """The head's result over time, with ``raw_probabilities`` as they came; a new track starts with its first."""
        if self._tau_ns <= 0:
            return raw
        key = (track_id, raw.name)
        state = self._states.get(key)
        if state is None:
            smoothed, top = raw.probabilities, raw.top
        else:
            weight = np.float32(-math.expm1(-max(now_ns - state.time_ns, 0) / self._tau_ns))
            smoothed = state.probabilities + weight * (raw.probabilities - state.probabilities)
            leader = raw.leader(smoothed)
            top = leader if smoothed[leader] - smoothed[state.top] >= LEAD else state.top
        self._states[key] = _State(smoothed, top, now_ns)
        return HeadResult(raw.name, raw.labels, smoothed, top, raw.reserved, raw_probabilities=raw.probabilities)

    def forget_others(self, known_ids: Collection[int]) -> None:
        """Drop all tracks but these, so that memory does not grow."""
        for key in [key for key in self._states if key[0] not in known_ids]:
            del self._states[key]
