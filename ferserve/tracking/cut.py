"""Cuts: whether a frame shows another scene than the last detection pass, judged by what lies around the faces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.tracking.boxes import Box, grown
from ferserve.tracking.template import Pixels

SAME_BACKGROUND = 0.7
"""Least correlation of two backgrounds without a cut between them."""
SAME_PICTURE = 0.85
"""Least correlation of two whole frames without a cut between them, if the background shows nothing."""
_WIDTH, _HEIGHT = 32, 18
_HEAD = 1.8
"""A head with its hair is larger than the box of its face by this factor."""
_MIN_CELLS = _WIDTH * _HEIGHT // 6
"""A background of fewer cells says nothing."""
_FLAT = 2.0
"""Standard deviation in grey levels below which cells show nothing."""

_Cells: TypeAlias = NDArray[np.float32]
_Mask: TypeAlias = NDArray[np.bool_]


class Scene:
    """A thumbnail of a frame in which the faces are marked."""

    def __init__(self, luma: Pixels, faces: Iterable[Box]) -> None:
        """Remember the frame ``luma`` uint8 (H, W) with ``faces`` in px."""
        self._cells = _thumbnail(luma)
        self._background = _outside(faces, luma.shape)

    def shows(self, luma: Pixels, faces: Iterable[Box]) -> bool:
        """Whether ``luma`` uint8 (H, W), with faces expected at ``faces``, may be the same scene."""
        cells, background = _thumbnail(luma), self._background & _outside(faces, luma.shape)
        if np.count_nonzero(background) >= _MIN_CELLS:
            alike = _correlation(self._cells[background], cells[background])
            if alike is not None:
                return alike >= SAME_BACKGROUND
        alike = _correlation(self._cells.ravel(), cells.ravel())
        return alike is None or alike >= SAME_PICTURE


def _thumbnail(luma: Pixels) -> _Cells:
    step = max(1, min(luma.shape) // 48)  # reading every pixel would cost more than the comparison is worth
    small = cv2.resize(np.ascontiguousarray(luma[::step, ::step]), (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _outside(faces: Iterable[Box], shape: tuple[int, ...]) -> _Mask:
    """The cells of a thumbnail that no head touches."""
    outside = np.ones((_HEIGHT, _WIDTH), np.bool_)
    down, across = _HEIGHT / shape[0], _WIDTH / shape[1]
    for face in faces:
        x0, y0, x1, y1 = grown(face, _HEAD)
        outside[
            max(int(y0 * down), 0) : max(int(y1 * down) + 1, 0), max(int(x0 * across), 0) : max(int(x1 * across) + 1, 0)
        ] = False
    return outside


def _correlation(a: _Cells, b: _Cells) -> float | None:
    """Correlation coefficient of the cells (N,) of two thumbnails; None if one of them is flat."""
    deviations = float(a.std()), float(b.std())
    if min(deviations) < _FLAT:
        return None
    return float(((a - a.mean()) * (b - b.mean())).mean()) / (deviations[0] * deviations[1])
