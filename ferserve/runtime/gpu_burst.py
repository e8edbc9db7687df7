"""Proof by the GPU's own meters that a model keeps it busy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ferserve.meters.gpu import GpuMeter, GpuReading

log = logging.getLogger(__name__)

LIMIT_S = 3.0
"""NVML tells the load of the last second at most; a burst of this length cannot stay unseen."""
_PAUSE_S = 0.05
"""Between two looks at the meters."""


def idle_in_burst(run: Callable[[], object], meters: list[GpuMeter], limit_s: float = LIMIT_S) -> str:
    """Call ``run`` over and over until a meter shows load; returns why the GPU counts as idle, empty if it worked.

    Without a meter that tells a load nothing can be said, so nothing is held against the device.
    """
    if not _loads(meters):
        log.info("no meter tells the GPU's load; install nvidia-ml-py to have it proven at the start")
        return ""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        look = time.monotonic() + _PAUSE_S
        while time.monotonic() < look:
            run()
        loads = _loads(meters)
        if any(load > 0 for load in loads):
            log.info("the GPU is at work: %s %% load", max(loads))
            return ""
    return f"{limit_s:g} s of runs leave the load of every GPU at 0 %"


def _loads(meters: list[GpuMeter]) -> list[float]:
    readings: list[GpuReading] = [meter.read() for meter in meters]
    return [reading.load_percent for reading in readings if reading.load_percent is not None]
