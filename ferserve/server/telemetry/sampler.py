"""Figures that nobody counts as they change: a process and its engine are asked for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import time
from collections.abc import Callable

from ferserve.metrics import EngineFigures
from ferserve.server.background import Background
from ferserve.server.memory import resident_bytes
from ferserve.server.telemetry import catalogue as c
from ferserve.server.telemetry.families import Family
from ferserve.server.telemetry.page import Page

_PERIOD_S = 0.5
_FILES = "/proc/self/fd"


class Sampler(Background):
    """Writes the figures of this process, and of its engine if it has one, into a page, twice a second."""

    def __init__(self, page: Page, figures: Callable[[], EngineFigures] | None = None) -> None:
        self._page = page
        self._figures = figures
        self._before = {family: self._get(family) for family in (c.CPU, c.PASSES, c.FOLLOWED)}

    async def _run(self) -> None:
        while True:
            self.sample()
            await asyncio.sleep(_PERIOD_S)

    def sample(self) -> None:
        """Write the figures of this moment; from any thread."""
        self._set(c.CPU, time.process_time(), counts=True)
        self._set(c.MAX_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        with contextlib.suppress(OSError):  # no Linux, or no descriptor to spare at the moment
            self._set(c.MEMORY, resident_bytes())
            self._set(c.FILES, len(os.listdir(_FILES)))
        if self._figures is not None:
            self._sample_engine(self._figures())

    def _sample_engine(self, figures: EngineFigures) -> None:
        self._set(c.QUEUED, figures.waiting)
        self._set(c.PENDING, figures.waiting)
        self._set(c.QUEUED_BYTES, figures.waiting_bytes)
        self._set(c.THREADS, figures.threads)
        self._set(c.BUSY, figures.busy_threads)
        self._set(c.RESUMABLE, figures.resumable)
        self._set(c.RESUMABLE_BYTES, figures.resumable_bytes)
        self._set(c.TRACKS, figures.tracks)
        self._set(c.PASSES, figures.detection_passes, counts=True)
        self._set(c.FOLLOWED, figures.followed_frames, counts=True)
        self._set(c.DEVICE_LOST, int(figures.device_lost))

    def _get(self, family: Family) -> float:
        return self._page.numbers[c.LAYOUT.place(family)]

    def _set(self, family: Family, value: float, *, counts: bool = False) -> None:
        """A count goes on from that of the process whose page this was before."""
        self._page.numbers[c.LAYOUT.place(family)] = value + (self._before[family] if counts else 0)
