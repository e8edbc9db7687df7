"""Arrays that detect reads and writes next to them."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

from ferserve.models.spec import InputSpec

GUARD_BYTES = 256
PATTERN = 0xA5
_libc = ctypes.CDLL(None, use_errno=True)


class GuardedImage:
    """Random pixels next to an unreadable page, after their last byte or before their first one."""

    def __init__(self, rng: np.random.Generator, height: int, width: int, color: str, flush_left: bool = False) -> None:
        shape = (height, width) if color == "luma" else (height, width, 3)
        size = int(np.prod(shape))
        pages = -(-size // mmap.PAGESIZE)
        self._map = mmap.mmap(-1, (pages + 2) * mmap.PAGESIZE)
        whole = np.frombuffer(self._map, np.uint8)
        self._address = whole.ctypes.data
        start = mmap.PAGESIZE if flush_left else (pages + 1) * mmap.PAGESIZE - size
        self.pixels = whole[start : start + size].reshape(shape)
        self.pixels[:] = rng.integers(0, 256, shape, np.uint8)
        self._fences = (self._address, self._address + (pages + 1) * mmap.PAGESIZE)

    def _protect(self, flags: int) -> None:
        for fence in self._fences:
            if _libc.mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(mmap.PAGESIZE), flags):
                raise OSError(ctypes.get_errno(), "mprotect failed")

    def __enter__(self) -> GuardedImage:
        self._protect(0)
        return self

    def __exit__(self, *raised: object) -> None:
        self._protect(mmap.PROT_READ | mmap.PROT_WRITE)


class GuardedBatch:
    """``out`` (count, *row_shape) with a pattern before it, behind it and between its rows."""

    def __init__(self, count: int, spec: InputSpec) -> None:
        size = np.dtype(spec.dtype).itemsize
        self._row = int(np.prod(spec.row_shape)) * size
        self._step = self._row + GUARD_BYTES
        self._memory = np.full(GUARD_BYTES + max(count, 1) * self._step, PATTERN, np.uint8)
        rows = self._memory[GUARD_BYTES:].reshape(max(count, 1), self._step)[:count, : self._row]
        self.out = rows.view(spec.dtype).reshape(count, *spec.row_shape) if count else self._empty(spec)

    @staticmethod
    def _empty(spec: InputSpec) -> np.ndarray:
        return np.zeros((0, *spec.row_shape), spec.dtype)

    def __enter__(self) -> GuardedBatch:
        return self

    def __exit__(self, *raised: object) -> None:
        self.check()

    def check(self) -> None:
        """Raise AssertionError if the pattern has changed."""
        assert (self._memory[:GUARD_BYTES] == PATTERN).all(), "written before the batch"
        between = self._memory[GUARD_BYTES:].reshape(-1, self._step)[:, self._row :]
        assert (between == PATTERN).all(), "written past a row"
