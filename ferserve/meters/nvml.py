"""NVIDIA's cards, and Jetson Thor, through NVML (package ``nvidia-ml-py``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ferserve.meters.gpu import MIB, GpuReading


class NvmlMeter:
    """One card. Not every card has every meter: integrated GPUs know neither memory nor power."""

    def __init__(self, nvml: Any, index: int) -> None:
        """``nvml`` is the module ``pynvml``, which must be initialised."""
        self._nvml = nvml
        self._card = nvml.nvmlDeviceGetHandleByIndex(index)
        self._name = str(self._ask(nvml.nvmlDeviceGetUUID) or index)

    def read(self) -> GpuReading:
        """Load, memory and power of the whole card."""
        nvml = self._nvml
        load = self._ask(nvml.nvmlDeviceGetUtilizationRates)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo)
        power_mw = self._ask(nvml.nvmlDeviceGetPowerUsage)
        return GpuReading(
            None if load is None else float(load.gpu),
            None if memory is None else memory.used / MIB,
            None if power_mw is None else power_mw / 1000,
            None if memory is None else memory.total / MIB,
            self._name,
        )

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        try:
            return question(self._card)
        except self._nvml.NVMLError:  # not supported by this card, or the card is gone
            return None


def nvml_meters() -> list[NvmlMeter]:
    """One meter per card; none without NVML, its driver or its Python package."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return [NvmlMeter(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # no package, no library, no driver, no card: each raises something else
        return []
