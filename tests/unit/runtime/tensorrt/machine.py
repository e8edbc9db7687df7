"""What the fake GPU of these tests is, and what goes wrong there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass
class Machine:
    """What the fake machine is, and what it has been asked to do."""

    version: str = "10.16.1.11"
    gpu: str = "Orin"
    capability: tuple[int, int] = (8, 7)
    count: int = 1
    broken: dict[str, int] = field(default_factory=dict)
    """Calls of CUDA that return this status; ``context`` stands for TensorRT's execution contexts."""
    spared: dict[str, int] = field(default_factory=dict)
    """How many of the next broken calls work nevertheless."""
    refused_op: str = ""
    """An operator that the parser does not know."""
    builds: int = 0
    contexts: int = 0
    launches: int = 0
    memory: dict[int, Any] = field(default_factory=dict)
    recording: list[Callable[[], Any]] | None = None

    def spares(self, name: str) -> bool:
        """True if this call works although it is broken."""
        left = self.spared.get(name, 0)
        self.spared[name] = max(0, left - 1)
        return left > 0

    def run(self, step: Callable[[], Any]) -> None:
        """Run or record ``step``."""
        if self.recording is None:
            step()
        else:
            self.recording.append(step)


class Status(Enum):
    """Codes of ``cudaError_t`` that the tests use."""

    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorIllegalAddress = 700


TEXTS = {
    2: "out of memory",
    35: "CUDA driver version is insufficient for CUDA runtime version",
    100: "no CUDA-capable device is detected",
    700: "an illegal memory access was encountered",
}
