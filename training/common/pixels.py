"""Training pixels, preprocessed by serving's own :mod:`ferserve.vision.preprocess`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferserve.models.spec import Color, InputSpec
from ferserve.vision.preprocess import preprocess_into
from training.data.samples import Image, Images

CACHE_BYTES = 1 << 30
"""Sets whose preprocessed rows fit are cached; larger ones are preprocessed again for each batch."""


def centre_box(height: int, width: int, spec: InputSpec) -> NDArray[np.float32]:
    """The box (x0, y0, x1, y1) in pixels that ``spec`` grows to the image, or to its centred square; float32 (4,).

    A picture of a data set is taken as one face including the margin that the spec adds in serving, so the box given
    to preprocessing is that much smaller.
    """
    inner = 1.0 / (1.0 + 2.0 * spec.margin)
    side = min(height, width)
    across, down = (side * inner, side * inner) if spec.square else (width * inner, height * inner)
    box = [(width - across) / 2, (height - down) / 2, (width + across) / 2, (height + down) / 2]
    return np.asarray(box, np.float32)


def pixels_into(image: Image, spec: InputSpec, out: NDArray[np.float32], row: int = 0) -> None:
    """Preprocess one whole picture, luma or RGB, into ``out[row]``; ``out`` float32 (N, *spec.row_shape)."""
    height, width = image.shape[:2]
    color: Color = "luma" if image.ndim == 2 else "rgb"
    preprocess_into(image, color, centre_box(height, width, spec)[np.newaxis], spec, out, row=row)


class PixelRows:
    """Preprocessed rows of an image set: float32 (N, *spec.row_shape), cached if they fit."""

    def __init__(self, images: Images, spec: InputSpec, cache_bytes: int = CACHE_BYTES) -> None:
        self._images, self._spec = images, spec
        bytes_needed = len(images) * int(np.prod(spec.row_shape)) * 4
        self.cache = self._make(np.arange(len(images))) if bytes_needed <= cache_bytes else None

    def __len__(self) -> int:
        return len(self._images)

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """A new array of the given rows; the caller may write into it."""
        return self._make(rows) if self.cache is None else self.cache[rows]

    def _make(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        out = _aligned((len(rows), *self._spec.row_shape))
        for slot, row in enumerate(rows):
            pixels_into(self._images[row], self._spec, out, slot)
        return out


def _aligned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An empty array aligned to 64 bytes, so that TensorFlow can use it without a copy."""
    raw = np.empty(int(np.prod(shape)) * 4 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + raw.size - 64].view(np.float32).reshape(shape)
