"""CUDA's runtime as Python objects: errors raise, memory and streams free themselves."""

from __future__ import annotations

import contextlib
import ctypes
import weakref
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import DeviceError
from ferserve.runtime.base import UnavailableError


@dataclass(frozen=True)
class Gpu:
    """What an engine is built for."""

    name: str
    compute_capability: str
    """Such as ``8.7``."""
    driver: str
    """The newest CUDA that the driver speaks, such as ``12.6``."""


class Cuda:
    """The calls in use, of ``cuda.bindings.runtime``."""

    def __init__(self, cudart: Any) -> None:
        self._rt = cudart

    def gpu(self) -> Gpu:
        """The first GPU; raises :class:`UnavailableError` if there is none that the driver and this CUDA share."""
        rt = self._rt
        error, count = rt.cudaGetDeviceCount()
        if error != rt.cudaError_t.cudaSuccess or not count:
            reason = "none" if error == rt.cudaError_t.cudaSuccess else self._text(error)
            raise UnavailableError(
                f"engine.device 'tensorrt-native' needs a GPU, got: {reason}; "
                "install or update the driver, run the container with the NVIDIA runtime, or choose auto or cpu",
                reason,
            )
        found = self.call("cudaGetDeviceProperties", 0)
        name = found.name.decode(errors="replace") if isinstance(found.name, bytes) else str(found.name)
        driver = int(self.call("cudaDriverGetVersion"))
        return Gpu(name.rstrip("\0"), f"{found.major}.{found.minor}", f"{driver // 1000}.{driver % 1000 // 10}")

    def call(self, name: str, *arguments: Any) -> Any:
        """What ``cudart.<name>`` returns behind its status; raises :class:`DeviceError` for any but success."""
        status, *values = getattr(self._rt, name)(*arguments)
        if status != self._rt.cudaError_t.cudaSuccess:
            raise DeviceError(f"cannot run on the GPU: {name}: {self._text(status)}; see nvidia-smi or tegrastats")
        return values[0] if len(values) == 1 else values or None

    def stream(self) -> Any:
        """A stream that does not wait for the default one; freed with the returned object."""
        return self.call("cudaStreamCreateWithFlags", self._rt.cudaStreamNonBlocking)

    def device_memory(self, size: int) -> DeviceMemory:
        """``size`` bytes on the GPU."""
        return DeviceMemory(self, max(1, size))

    def to_device(self, target: DeviceMemory, source: NDArray[Any], stream: Any) -> None:
        """Begin to copy ``source``, contiguous, to the GPU."""
        kind = self._rt.cudaMemcpyKind.cudaMemcpyHostToDevice
        self.call("cudaMemcpyAsync", target.address, source.ctypes.data, source.nbytes, kind, stream)

    def to_host(self, target: NDArray[Any], source: DeviceMemory, stream: Any) -> None:
        """Begin to copy as many bytes as ``target``, contiguous, holds from the GPU."""
        kind = self._rt.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self.call("cudaMemcpyAsync", target.ctypes.data, source.address, target.nbytes, kind, stream)

    def begin_recording(self, stream: Any) -> None:
        """What is begun on ``stream`` from now on is recorded and not run."""
        self.call("cudaStreamBeginCapture", stream, self._rt.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)

    def end_recording(self, stream: Any) -> Any:
        """The recording, ready for ``cudaGraphLaunch``."""
        graph = self.call("cudaStreamEndCapture", stream)
        try:
            return self.call("cudaGraphInstantiate", graph, 0)
        finally:
            self.call("cudaGraphDestroy", graph)

    def _text(self, status: Any) -> str:
        _, text = self._rt.cudaGetErrorString(status)
        return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


class PinnedPool:
    """Arrays in memory that the GPU reads and writes by itself. Making such memory is slow, so it is used again."""

    def __init__(self, cuda: Cuda) -> None:
        self.cuda = cuda
        self._idle: defaultdict[int, deque[int]] = defaultdict(deque)
        self._addresses: set[int] = set()

    def empty(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """An uninitialised array; its memory comes back once no view of it is left."""
        count = int(np.prod(shape))
        size = 1 << max(12, (count * np.dtype(dtype).itemsize - 1).bit_length())
        try:
            address = self._idle[size].pop()
        except IndexError:
            address = int(self.cuda.call("cudaHostAlloc", size, 0))
            self._addresses.add(address)
        memory = (ctypes.c_byte * size).from_address(address)
        weakref.finalize(memory, self._idle[size].append, address)
        return np.ctypeslib.as_array(memory)[: count * np.dtype(dtype).itemsize].view(dtype).reshape(shape)

    def holds(self, array: NDArray[Any]) -> bool:
        """True if ``array`` begins a piece of this memory and has no holes."""
        return array.ctypes.data in self._addresses and bool(array.flags.c_contiguous)


class DeviceMemory:
    """Bytes on the GPU, freed with the object."""

    def __init__(self, cuda: Cuda, size: int) -> None:
        self.address = int(cuda.call("cudaMalloc", size))
        weakref.finalize(self, _quietly, cuda, "cudaFree", self.address)


def _quietly(cuda: Cuda, name: str, argument: Any) -> None:
    # A GPU that is gone cannot free anything, and nobody waits for the answer.
    with contextlib.suppress(DeviceError):
        cuda.call(name, argument)
