"""Measures resource use: of this process by psutil, of the GPU by its meters, of the machine by its power sensors."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import psutil

from ferserve.meters.gpu import MIB, GpuMeter, GpuReading, find_meters
from ferserve.meters.jetson import is_jetson
from training.cost.power import PowerMeter


def find_gpu() -> GpuMeter | None:
    """The meter of this machine's first GPU, None if it has no GPU."""
    return next(iter(find_meters()), None)


@dataclass(frozen=True)
class Usage:
    """Resources used by some work, sampled while it went on; the GPU's figures are None without a GPU."""

    cpu_percent: float
    """Percent of one core: 200 is two busy cores."""
    resident_mib: float
    """Peak of this process."""
    gpu_load_percent: float | None = None
    gpu_memory_mib: float | None = None
    gpu_power_w: float | None = None
    gpu_load_before_percent: float | None = None
    gpu_load_after_percent: float | None = None
    gpu_memory_total_mib: float | None = None
    system_used_mib: float | None = None
    """Peak of the whole machine's RAM."""
    system_total_mib: float | None = None
    power_w: float | None = None
    """Of the board (Jetson), the processor packages (RAPL), or from the battery, whichever can be asked."""


class Meter:
    """Watches this process, the machine and the GPU during a ``with`` block.

    :attr:`usage` then holds means, and peaks of memory. ``before`` is a reading from before the model was loaded, if
    the GPU's load at rest is of interest; else the first of the block stands for it.
    """

    def __init__(self, gpu: GpuMeter | None, interval_s: float = 0.1, before: GpuReading | None = None) -> None:
        self._gpu, self._interval_s, self._before = gpu, interval_s, before
        self._process = psutil.Process()
        self._power = PowerMeter()
        self._stop = threading.Event()
        self._readings: list[GpuReading] = []
        self._resident = self._used = 0
        self.usage = Usage(0.0, 0.0)

    def __enter__(self) -> Meter:
        self._process.cpu_percent()
        self._power.start()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while True:
            self._resident = max(self._resident, self._process.memory_info().rss)
            self._used = max(self._used, _used_bytes())
            if self._gpu is not None:
                self._readings.append(self._gpu.read())
            if self._stop.wait(self._interval_s):
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cpu, power_w = self._process.cpu_percent(), self._power.stop()
        after = None if self._gpu is None else self._gpu.read()
        self._stop.set()
        self._thread.join()
        machine = {"system_used_mib": self._used / MIB, "system_total_mib": psutil.virtual_memory().total / MIB}
        self.usage = Usage(cpu, self._resident / MIB, power_w=power_w, **machine)
        if after is not None:
            self.usage = replace(self.usage, **self._of_gpu(after))

    def _of_gpu(self, after: GpuReading) -> dict[str, Any]:
        readings = self._readings or [after]
        power_w = _mean(reading.power_w for reading in readings)
        board_w = {"power_w": power_w} if is_jetson() else {}
        return board_w | {
            "gpu_load_percent": _mean(reading.load_percent for reading in readings),
            "gpu_memory_mib": max((r.memory_mib for r in readings if r.memory_mib is not None), default=None),
            "gpu_power_w": power_w,
            "gpu_load_before_percent": (self._before or readings[0]).load_percent,
            "gpu_load_after_percent": after.load_percent,
            "gpu_memory_total_mib": after.memory_total_mib,
        }


def _mean(values: Iterable[float | None]) -> float | None:
    """Of those that could be read."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _used_bytes() -> int:
    memory = psutil.virtual_memory()
    return int(memory.total - memory.available)
