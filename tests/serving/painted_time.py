"""A time painted into a picture as a bar code, which survives the codecs of cameras: latency is read, not guessed."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

_BITS = 32
_ROWS = 16


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """BGR with something to encode, and the time now, ms of the steady clock that all processes share."""
    bgr = np.empty((height, width, 3), np.uint8)
    bgr[:] = np.linspace(60, 180, width, dtype=np.uint8)[None, :, None]
    now_ms = time.monotonic_ns() // 1_000_000
    x = now_ms // 8 % max(width - 40, 1)
    bgr[height // 2 : height // 2 + 40, x : x + 40] = (40, 200, 240)
    bits = np.array([now_ms >> bit & 1 for bit in range(_BITS)], np.uint8) * 255
    bar = np.repeat(bits, width // _BITS)
    bgr[:_ROWS, : len(bar)] = bar[None, :, None]
    return bgr


def age_ms(bgr: NDArray[np.uint8]) -> int:
    """How long ago the picture was painted."""
    step = bgr.shape[1] // _BITS
    middles = bgr[_ROWS // 2, step // 2 : step * _BITS : step, 1] > 127
    painted = sum(int(bit) << index for index, bit in enumerate(middles))
    return (time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF) - painted
