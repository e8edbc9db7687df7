"""What a GPU's meters say, and which meters this machine has."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

MIB = 1 << 20


@dataclass(frozen=True)
class GpuReading:
    """State of a GPU: load in percent, memory in MiB, power in watts, each None if it cannot be read.

    On a Jetson, memory is the RAM that processor and GPU share, and power that of the board.
    """

    load_percent: float | None = None
    memory_mib: float | None = None
    power_w: float | None = None
    memory_total_mib: float | None = None
    name: str = ""
    """Which GPU it is, such as NVML's UUID."""


class GpuMeter(Protocol):
    """Reads the meters of one GPU."""

    def read(self) -> GpuReading:
        """The meters now."""


def find_meters() -> list[GpuMeter]:
    """One meter per GPU of this machine; none if there is no GPU, or nothing to ask it."""
    from ferserve.meters.jetson import JetsonMeter, is_jetson
    from ferserve.meters.nvml import nvml_meters

    cards = nvml_meters()
    if is_jetson():
        return [JetsonMeter(cards[0] if cards else None)]
    return list(cards)


def why_no_meter() -> str:
    """Reason why :func:`find_meters` found none."""
    reason = "this machine has no GPU that NVML or tegrastats can see"
    if find_spec("pynvml") is None:
        reason += "; NVML is asked through package nvidia-ml-py, which is not installed: pip install 'ferserve[gpu]'"
    return reason
