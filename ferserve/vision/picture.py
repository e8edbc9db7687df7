"""A decoded frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded, upright frame: ``luma`` uint8 (H, W), possibly a strided view; ``bgr`` uint8 (H, W, 3) or None."""

    luma: Pixels
    bgr: Pixels | None = None
    degraded: str = ""
    """What is wrong with the file although every pixel is there, or which part of it was taken; empty otherwise."""

    @property
    def width(self) -> int:
        """Columns, px."""
        return int(self.luma.shape[1])

    @property
    def height(self) -> int:
        """Rows, px."""
        return int(self.luma.shape[0])
