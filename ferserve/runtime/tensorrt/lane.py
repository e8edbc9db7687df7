"""One place where a batch runs: an execution context with a stream and memory of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import DeviceError
from ferserve.runtime.base import Tensor, TensorInfo
from ferserve.runtime.tensorrt.cuda import DeviceMemory, PinnedPool

if TYPE_CHECKING:
    import tensorrt as trt


@dataclass(frozen=True)
class Binding:
    """An input or output of an engine at the largest batch."""

    info: TensorInfo
    row_shape: tuple[int, ...]
    is_input: bool


class Lane:
    """Runs one batch at a time; lanes run side by side."""

    def __init__(
        self, pool: PinnedPool, engine: trt.ICudaEngine, bindings: tuple[Binding, ...], sizes: tuple[int, ...]
    ) -> None:
        """``sizes`` are the numbers of rows, rising, that are recorded; a batch is run as the next one.

        Arrays of ``pool`` are copied to the GPU from where they are.
        """
        self._pool, self._cuda, self._sizes = pool, pool.cuda, sizes
        context = engine.create_execution_context()
        if context is None:
            raise DeviceError("cannot run on the GPU: no memory for one more execution context; use fewer threads")
        self._context, self._stream = context, self._cuda.stream()
        self._inputs = [binding for binding in bindings if binding.is_input]
        self._outputs = [binding for binding in bindings if not binding.is_input]
        self._host: dict[str, NDArray[Any]] = {}
        self._device: dict[str, DeviceMemory] = {}
        for binding in bindings:
            name = binding.info.name
            self._host[name] = pool.empty((sizes[-1], *binding.row_shape), binding.info.dtype)
            self._device[name] = self._cuda.device_memory(self._host[name].nbytes)
            if not self._context.set_tensor_address(name, self._device[name].address):
                raise DeviceError(f"cannot run on the GPU: TensorRT refuses the memory of {name}")
        self._recorded: dict[int, Any] = {}

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """All outputs of one batch, as copies that the caller owns."""
        rows = len(feeds[self._inputs[0].info.name])
        size = next(size for size in self._sizes if size >= rows)
        for binding in self._inputs:
            self._fill(binding, feeds[binding.info.name])
        self._launch(size)
        self._cuda.call("cudaStreamSynchronize", self._stream)
        return [self._host[binding.info.name][:rows].copy() for binding in self._outputs]

    def _fill(self, binding: Binding, rows: Tensor) -> None:
        """Rows behind the given ones stay what they were: they are run for nothing, and their answers thrown away."""
        if not self._pool.holds(rows):
            staged = self._host[binding.info.name][: len(rows)]
            np.copyto(staged, rows, casting="no")
            rows = staged
        self._cuda.to_device(self._device[binding.info.name], rows, self._stream)

    def _launch(self, size: int) -> None:
        """Run the engine and begin to copy its outputs: the first time call by call, then as one recording."""
        if size in self._recorded:
            self._cuda.call("cudaGraphLaunch", self._recorded[size], self._stream)
            return
        self._run_plain(size)
        self._cuda.call("cudaStreamSynchronize", self._stream)
        self._cuda.begin_recording(self._stream)
        try:
            self._run_plain(size)
        finally:
            recorded = self._cuda.end_recording(self._stream)
        self._recorded[size] = recorded

    def _run_plain(self, size: int) -> None:
        for binding in self._inputs:
            if not self._context.set_input_shape(binding.info.name, (size, *binding.row_shape)):
                raise DeviceError(f"cannot run on the GPU: TensorRT refuses {size} rows of {binding.info.name}")
        if not self._context.execute_async_v3(int(self._stream)):
            raise DeviceError("cannot run on the GPU: TensorRT did not take the batch; run with -v for its reason")
        for binding in self._outputs:
            name = binding.info.name
            self._cuda.to_host(self._host[name][:size], self._device[name], self._stream)
