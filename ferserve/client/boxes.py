"""Boxes of known faces, as callers write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from ferserve.errors import InvalidFrameError
from ferserve.sources.images import SupportsArray
from ferserve.types.arrays import float32_array, is_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BoxesLike: TypeAlias = SupportsArray | Sequence[Sequence[float] | SupportsArray]
"""Boxes (x0, y0, x1, y1) in pixels of the upright image: an array (N, 4), or rows of four numbers."""


def boxes_array(boxes: BoxesLike | None) -> NDArray[np.float32] | None:
    """``boxes`` as float32 (N, 4), or as tuples without NumPy; raises :class:`InvalidFrameError`."""
    if boxes is None:
        return None
    try:
        array = float32_array(boxes)
        shape = array.shape if is_array(array) else (len(array), *{len(row) for row in array})
    except (TypeError, ValueError):
        raise InvalidFrameError(f"boxes must be numbers (N, 4) as (x0, y0, x1, y1) px, got {boxes!r}") from None
    if 0 in shape:
        return float32_array([[0] * 4])[:0]
    if len(shape) != 2 or shape[1] != 4:
        raise InvalidFrameError(f"boxes must be (N, 4) as (x0, y0, x1, y1) px, got shape {shape}")
    return array
