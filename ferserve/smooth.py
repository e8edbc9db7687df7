"""Probabilities that do not flicker: exponential smoothing over time, a track at a time.

The weight of the past follows from the time that went by, not from the number of frames:
``p += (1 - exp(-dt / tau)) * (raw - p)``, the first-order low-pass filter sampled at irregular times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class _State:
    probabilities: NDArray[np.float32]
    time_ns: int


class Smoother:
    """Smooths the probability vectors of the tracks of one stream."""

    def __init__(self, tau_ms: float) -> None:
        self._tau_ns = tau_ms * 1e6
        self._states: dict[tuple[int, str], _State] = {}

    def smooth(self, track_id: int, head: str, raw: NDArray[np.float32], now_ns: int) -> NDArray[np.float32]:
        """Smoothed probabilities (K,) of a track's head; the first vector of a track comes back as it is."""
        if self._tau_ns <= 0:
            return raw
        state = self._states.get((track_id, head))
        if state is None:
            smoothed = raw
        else:
            weight = -math.expm1(-max(now_ns - state.time_ns, 0) / self._tau_ns)
            smoothed = (state.probabilities + np.float32(weight) * (raw - state.probabilities)).astype(np.float32)
        self._states[track_id, head] = _State(smoothed, now_ns)
        return smoothed

    def forget_older(self, time_ns: int) -> None:
        """Drop the tracks that were last smoothed before ``time_ns``, so that memory does not grow."""
        self._states = {key: state for key, state in self._states.items() if state.time_ns >= time_ns}
