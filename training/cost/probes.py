"""Measures resource use: of this process by psutil, of NVIDIA cards by NVML, of a Jetson by tegrastats."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import Protocol

import psutil

MIB = 1 << 20


@dataclass(frozen=True)
class GpuReading:
    """State of the GPU: load in percent, memory in MiB, power in watts (None if it cannot be read)."""

    load_percent: float
    memory_mib: float
    power_w: float | None


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
        memory = float(self._nvml.nvmlDeviceGetMemoryInfo(self._card).used) / MIB
        try:
            power: float | None = self._nvml.nvmlDeviceGetPowerUsage(self._card) / 1000
        except self._nvml.NVMLError:
            power = None
        return GpuReading(load, memory, power)


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
    memory = re.search(r"RAM (\d+)/", line)
    power = re.search(r"(?:VDD_IN|POM_5V_IN|VDD_CPU_GPU_CV) (\d+)(?:mW)?/", line)
    return GpuReading(
        float(load[1]) if load else 0.0,
        float(memory[1]) if memory else 0.0,
        float(power[1]) / 1000 if power else None,
    )


def find_gpu() -> GpuProbe | None:
    """A probe for this machine's GPU, None if it has no GPU."""
    if shutil.which("tegrastats"):
        return TegrastatsProbe()
    try:
        return NvmlProbe()
    except Exception:
        return None


def why_no_gpu() -> str:
    """Reason why :func:`find_gpu` found no GPU."""
    reason = "this machine has no GPU that NVML or tegrastats can see"
    if find_spec("pynvml") is None:
        reason += "; NVML is asked through package nvidia-ml-py, which is not installed: pip install '.[cost]'"
    return reason


@dataclass(frozen=True)
class Usage:
    """Resources used by some work; the GPU's figures are None without a GPU."""

    cpu_percent: float
    """Percent of one core: 200 is two busy cores."""
    resident_mib: float
    gpu_load_percent: float | None = None
    gpu_memory_mib: float | None = None
    gpu_power_w: float | None = None


class Meter:
    """Watches this process and the GPU during a ``with`` block; :attr:`usage` then holds means, and peaks of memory."""

    def __init__(self, gpu: GpuProbe | None, interval_s: float = 0.1) -> None:
        self._gpu, self._interval_s = gpu, interval_s
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._readings: list[GpuReading] = []
        self._resident = 0
        self.usage = Usage(0.0, 0.0)

    def __enter__(self) -> Meter:
        self._process.cpu_percent()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while True:
            self._resident = max(self._resident, self._process.memory_info().rss)
            if self._gpu is not None:
                self._readings.append(self._gpu.read())
            if self._stop.wait(self._interval_s):
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cpu = self._process.cpu_percent()
        self._stop.set()
        self._thread.join()
        self.usage = Usage(cpu, self._resident / MIB, *self._gpu_means())

    def _gpu_means(self) -> tuple[float | None, float | None, float | None]:
        if not self._readings:
            return None, None, None
        loads = [reading.load_percent for reading in self._readings]
        powers = [reading.power_w for reading in self._readings if reading.power_w is not None]
        memory = max(reading.memory_mib for reading in self._readings)
        return sum(loads) / len(loads), memory, sum(powers) / len(powers) if powers else None
