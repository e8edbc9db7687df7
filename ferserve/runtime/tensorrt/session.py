"""A graph in TensorRT, on the first GPU."""

from __future__ import annotations

import hashlib
import json
import queue
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ferserve.errors import DeviceError, ModelSpecError
from ferserve.runtime.base import Placement, Tensor, TensorInfo
from ferserve.runtime.tensorrt.builder import Built, build_engine, make_logger
from ferserve.runtime.tensorrt.cuda import Cuda, PinnedPool
from ferserve.runtime.tensorrt.engine_cache import EngineCache
from ferserve.runtime.tensorrt.engine_file import EngineKey
from ferserve.runtime.tensorrt.lane import Binding, Lane
from ferserve.runtime.tensorrt.libraries import load_libraries
from ferserve.runtime.tensorrt.precision import typed_graph

if TYPE_CHECKING:
    import tensorrt as trt

MAX_ROWS = 64
"""Rows per run; longer batches run in parts."""
_DTYPES = {"FLOAT": "float32", "HALF": "float16", "INT8": "int8", "UINT8": "uint8", "INT32": "int32", "INT64": "int64"}


class TensorRtSession:
    """An engine, and as many lanes as threads have run it at once."""

    uses_cpu = False

    def __init__(self, path: Path, cache_dir: Path | None = None, half: bool = True) -> None:
        """Load the engine of the model at ``path``, or build it.

        ``half`` runs a graph of floats in half precision; a quantised one stays INT8. Raises :class:`ConfigError` for
        missing libraries or no GPU, :class:`ModelSpecError` for a graph that TensorRT cannot build.
        """
        version, cudart = load_libraries()
        cuda = Cuda(cudart)
        gpu = cuda.gpu()
        self._pool = PinnedPool(cuda)
        graph, precision = typed_graph(path, half)
        self._key = EngineKey(
            model=path.stem, model_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            tensorrt=version, gpu=gpu.name, compute_capability=gpu.compute_capability,
            precision=precision, max_rows=MAX_ROWS,
        )  # fmt: skip
        folder = cache_dir or Path.home() / ".cache" / "ferserve"
        self.engine_file = folder / self._key.file_name
        self._load(graph, folder)
        self.runs_on = f"TensorRT {version} {precision.upper()} on {gpu.name}"

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """See :class:`ferserve.runtime.base.Session`. Raises :class:`DeviceError` if the GPU fails."""
        try:
            lane = self._idle.get_nowait()
        except queue.Empty:
            lane = Lane(self._pool, self._engine, self._bindings, _sizes(self.max_rows_per_run))
        answer = lane.run(feeds)
        self._idle.put(lane)  # a lane that failed is dropped
        return answer

    def run_first(self, feeds: Mapping[str, Tensor], limit_s: float) -> list[Tensor]:
        """See :class:`ferserve.runtime.base.Session`; TensorRT has no loops that do not end."""
        return self.run(feeds)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        """See :class:`ferserve.runtime.base.Session`."""
        return self._pool.empty(shape, dtype)

    def placement(self) -> Placement:
        """Layers of the engine; TensorRT runs every one of them on the GPU."""
        import tensorrt as trt

        text = self._engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
        layers = json.loads(text).get("Layers", [])
        return Placement(self._key.gpu, there=len(layers), elsewhere=0)

    def _load(self, graph: bytes, folder: Path) -> None:
        import tensorrt as trt

        logger = make_logger()
        runtime = trt.Runtime(logger)

        def build(timings: bytes) -> Built:
            return build_engine(graph, self._key.model, MAX_ROWS, timings)

        engine = EngineCache(folder).engine(self._key, build, runtime.deserialize_cuda_engine)
        if engine is None:
            raise DeviceError(f"cannot load the engine of {self._key.model}: {logger.last or 'no reason'}; see -v")
        self._runtime, self._engine = runtime, engine  # an engine needs its runtime
        self._bindings = _bindings(engine)
        self.inputs = tuple(binding.info for binding in self._bindings if binding.is_input)
        self.outputs = tuple(binding.info for binding in self._bindings if not binding.is_input)
        free = all(info.shape[0] is None for info in self.inputs)
        self.max_rows_per_run = MAX_ROWS if free else int(self.inputs[0].shape[0] or 1)
        self._idle: queue.SimpleQueue[Lane] = queue.SimpleQueue()


def _sizes(max_rows: int) -> tuple[int, ...]:
    """Powers of two, so that few batches are recorded and little is run for nothing."""
    sizes: list[int] = []
    while not sizes or sizes[-1] < max_rows:
        sizes.append(min(max_rows, 2 * sizes[-1] if sizes else 1))
    return tuple(sizes)


def _bindings(engine: trt.ICudaEngine) -> tuple[Binding, ...]:
    from tensorrt import TensorIOMode

    found = []
    for number in range(engine.num_io_tensors):
        name = engine.get_tensor_name(number)
        shape = tuple(None if size < 0 else int(size) for size in engine.get_tensor_shape(name))
        kind = engine.get_tensor_dtype(name).name
        if kind not in _DTYPES or not shape or None in shape[1:]:
            raise ModelSpecError(f"{name} must be rows of numbers, got {kind} of shape {shape}")
        info = TensorInfo(name, shape, _DTYPES[kind])
        is_input = engine.get_tensor_mode(name) == TensorIOMode.INPUT
        found.append(Binding(info, tuple(int(size or 1) for size in shape[1:]), is_input))
    return tuple(found)
