"""Measures resource use: of this process by psutil, of NVIDIA cards by NVML, of a Jetson by tegrastats."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from dataclasses import dataclass, replace
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Protocol

import psutil

from training.cost.power import PowerMeter

MIB = 1 << 20


@dataclass(frozen=True)
class GpuReading:
    """State of the GPU: load in percent, memory in MiB, power in watts (None if it cannot be read).

    On a Jetson, memory is the RAM that processor and GPU share, and power that of the board.
    """

    load_percent: float
    memory_mib: float
    power_w: float | None
    memory_total_mib: float | None = None


class GpuProbe(Protocol):
    """Reads the GPU's meters."""

    def read(self) -> GpuReading:
        """The meters now."""


class NvmlProbe:
    """The first NVIDIA card, through NVML."""

    def __init__(self) -> None:
        import pynvml

        self._nvml = pynvml
        pynvml.nvmlInit()
        self._card = pynvml.nvmlDeviceGetHandleByIndex(0)

    def read(self) -> GpuReading:
        """Load, memory and power of the whole card."""
        load = float(self._nvml.nvmlDeviceGetUtilizationRates(self._card).gpu)
        memory = self._nvml.nvmlDeviceGetMemoryInfo(self._card)
        try:
            power: float | None = self._nvml.nvmlDeviceGetPowerUsage(self._card) / 1000
        except self._nvml.NVMLError:
            power = None
        return GpuReading(load, float(memory.used) / MIB, power, float(memory.total) / MIB)


class TegrastatsProbe:
    """A Jetson, whose GPU shares memory with the processor and has no NVML."""

    def read(self) -> GpuReading:
        """One line of ``tegrastats``."""
        process = subprocess.Popen(["tegrastats", "--interval", "100"], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            return parse_tegrastats(process.stdout.readline())
        finally:
            process.kill()
            process.wait()


def parse_tegrastats(line: str) -> GpuReading:
    """``RAM 3021/7850MB … GR3D_FREQ 45% … VDD_CPU_GPU_CV 2130mW/2100mW`` as a reading; old ones say ``POM_5V_IN``."""
    load = re.search(r"GR3D_FREQ (\d+)%", line)
    memory = re.search(r"RAM (\d+)/(\d+)", line)
    power = re.search(r"(?:VDD_IN|POM_5V_IN|VDD_CPU_GPU_CV) (\d+)(?:mW)?/", line)
    return GpuReading(
        float(load[1]) if load else 0.0,
        float(memory[1]) if memory else 0.0,
        float(power[1]) / 1000 if power else None,
        float(memory[2]) if memory else None,
    )


def find_gpu() -> GpuProbe | None:
    """A probe for this machine's GPU, None if it has no GPU."""
    if is_jetson():
        return TegrastatsProbe()
    try:
        return NvmlProbe()
    except Exception:
        return None


def is_jetson() -> bool:
    """True on an NVIDIA Jetson, which has ``tegrastats``."""
    return shutil.which("tegrastats") is not None


def why_no_gpu() -> str:
    """Reason why :func:`find_gpu` found no GPU."""
    reason = "this machine has no GPU that NVML or tegrastats can see"
    if find_spec("pynvml") is None:
        reason += "; NVML is asked through package nvidia-ml-py, which is not installed: pip install '.[cost]'"
    return reason


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

    def __init__(self, gpu: GpuProbe | None, interval_s: float = 0.1, before: GpuReading | None = None) -> None:
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
        powers = [reading.power_w for reading in readings if reading.power_w is not None]
        power_w = sum(powers) / len(powers) if powers else None
        board_w = {"power_w": power_w} if is_jetson() else {}
        return board_w | {
            "gpu_load_percent": sum(reading.load_percent for reading in readings) / len(readings),
            "gpu_memory_mib": max(reading.memory_mib for reading in readings),
            "gpu_power_w": power_w,
            "gpu_load_before_percent": (self._before or readings[0]).load_percent,
            "gpu_load_after_percent": after.load_percent,
            "gpu_memory_total_mib": after.memory_total_mib,
        }


def _used_bytes() -> int:
    memory = psutil.virtual_memory()
    return int(memory.total - memory.available)
