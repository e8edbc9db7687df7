"""Small faces packed without loss: what each pixel differs from a guess by its neighbours, and LZMA.

The guess is the median edge detector of JPEG-LS (Weinberger et al. 2000, doi:10.1109/83.855427, section III-A). NumPy
alone reads it, on whatever machine trains.
"""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 4, "lc": 4, "lp": 0, "pb": 0}]
"""A byte's context is the one before it: a neighbour's difference tells how busy the place is."""
BLOCK = 4096
"""Images that are packed together; blocks are packed and unpacked in parallel."""


def pack_images(images: NDArray[np.uint8]) -> list[bytes]:
    """Blocks that hold uint8 (N, H, W)."""
    with ThreadPoolExecutor() as threads:
        return list(threads.map(_pack, (images[i : i + BLOCK] for i in range(0, len(images), BLOCK))))


def unpack_images(blocks: Sequence[bytes], height: int, width: int) -> NDArray[np.uint8]:
    """The uint8 (N, height, width) that ``blocks`` hold."""
    with ThreadPoolExecutor() as threads:
        parts = list(threads.map(lambda block: _unpack(block, height, width), blocks))
    return np.concatenate(parts) if parts else np.empty((0, height, width), np.uint8)


def _guess(left: NDArray[np.int16], above: NDArray[np.int16], corner: NDArray[np.int16]) -> NDArray[np.int16]:
    low, high = np.minimum(left, above), np.maximum(left, above)
    return np.asarray(np.clip(left + above - corner, low, high), np.int16)  # equal to the three cases of the paper


def _pack(images: NDArray[np.uint8]) -> bytes:
    known = np.zeros((len(images), images.shape[1] + 1, images.shape[2] + 1), np.int16)
    known[:, 1:, 1:] = images
    guess = _guess(known[:, 1:, :-1], known[:, :-1, 1:], known[:, :-1, :-1])
    return lzma.compress((known[:, 1:, 1:] - guess).astype(np.uint8).tobytes(), filters=FILTERS)


def _unpack(block: bytes, height: int, width: int) -> NDArray[np.uint8]:
    differences = np.frombuffer(lzma.decompress(block), np.uint8).reshape(-1, height, width)
    # One row of images per pixel: what is worked on together lies together.
    given = np.ascontiguousarray(differences.transpose(1, 2, 0)).astype(np.int16)
    known = np.zeros((height + 1, width + 1, given.shape[2]), np.int16)
    for y in range(height):
        for x in range(width):
            guess = _guess(known[y + 1, x], known[y, x + 1], known[y, x])
            known[y + 1, x + 1] = (given[y, x] + guess) & 255
    return np.ascontiguousarray(known[1:, 1:].transpose(2, 0, 1)).astype(np.uint8)
