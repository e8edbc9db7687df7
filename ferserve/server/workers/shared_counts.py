"""Integers in memory that several processes share."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from multiprocessing import reduction
from typing import Any


class SharedCounts:
    """One 32-bit integer per worker. Survives pickling into a process that is being spawned.

    The memory has no name in any file system, so that read-only ones will do.
    """

    def __init__(self, count: int, initial: int) -> None:
        self._map(os.memfd_create("ferserve-counts"), count)
        for index in range(count):
            self[index] = initial

    def _map(self, descriptor: int, count: int) -> None:
        self._descriptor = descriptor
        os.ftruncate(descriptor, 4 * count)
        self._numbers = memoryview(mmap.mmap(descriptor, 4 * count)).cast("i")

    def __getstate__(self) -> tuple[Any, int]:
        return reduction.DupFd(self._descriptor), len(self)

    def __setstate__(self, state: tuple[Any, int]) -> None:
        self._map(state[0].detach(), state[1])

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> int:
        return self._numbers[index]

    def __setitem__(self, index: int, number: int) -> None:
        self._numbers[index] = number

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)
