"""``cuda.bindings.runtime`` without a GPU: its memory is memory of this process, a recording is a list of calls."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import Enum
from types import SimpleNamespace
from typing import Any

from tests.unit.runtime.tensorrt.machine import TEXTS, Machine, Status

Answer = tuple[Any, ...]
OK = Status.cudaSuccess


class FakeCuda:
    """The module, as an object."""

    cudaError_t = Status
    cudaStreamNonBlocking = 1
    cudaMemcpyKind = Enum("cudaMemcpyKind", ["cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost"])
    cudaStreamCaptureMode = Enum("cudaStreamCaptureMode", ["cudaStreamCaptureModeThreadLocal"])

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        for name in (name for name in dir(type(self)) if name.startswith("cuda")):
            call = getattr(self, name)
            if callable(call) and not isinstance(call, type):
                setattr(self, name, self._breakable(name, call))

    def _breakable(self, name: str, call: Callable[..., Answer]) -> Callable[..., Answer]:
        def made(*arguments: Any) -> Answer:
            if name in self._machine.broken and not self._machine.spares(name):
                return Status(self._machine.broken[name]), None
            return call(*arguments)

        return made

    def cudaGetErrorString(self, status: Status) -> Answer:
        return OK, TEXTS[status.value].encode()

    def cudaGetDeviceCount(self) -> Answer:
        return OK, self._machine.count

    def cudaGetDeviceProperties(self, device: int) -> Answer:
        major, minor = self._machine.capability
        return OK, SimpleNamespace(name=self._machine.gpu.encode(), major=major, minor=minor)

    def cudaDriverGetVersion(self) -> Answer:
        return OK, 13020

    def cudaStreamCreateWithFlags(self, flags: int) -> Answer:
        return OK, 7

    def cudaStreamSynchronize(self, stream: int) -> Answer:
        return (OK,)

    def cudaMalloc(self, size: int) -> Answer:
        block = ctypes.create_string_buffer(size)
        self._machine.memory[ctypes.addressof(block)] = block
        return OK, ctypes.addressof(block)

    def cudaHostAlloc(self, size: int, flags: int) -> Answer:
        return FakeCuda.cudaMalloc(self, size)  # also if the GPU's own memory is full

    def cudaFree(self, address: int) -> Answer:
        del self._machine.memory[address]
        return (OK,)

    def cudaMemcpyAsync(self, target: int, source: int, size: int, kind: Any, stream: int) -> Answer:
        self._machine.run(lambda: ctypes.memmove(target, source, size))
        return (OK,)

    def cudaStreamBeginCapture(self, stream: int, mode: Any) -> Answer:
        self._machine.recording = []
        return (OK,)

    def cudaStreamEndCapture(self, stream: int) -> Answer:
        steps, self._machine.recording = self._machine.recording, None
        return OK, steps

    def cudaGraphInstantiate(self, graph: Any, flags: int) -> Answer:
        return OK, graph

    def cudaGraphDestroy(self, graph: Any) -> Answer:
        return (OK,)

    def cudaGraphLaunch(self, graph: Any, stream: int) -> Answer:
        self._machine.launches += 1
        for step in graph:
            step()
        return (OK,)
