"""NVIDIA's package ``tensorrt`` without a GPU: an engine is its graph, and ONNX Runtime runs it.

What it offers is checked against the real bindings (``test_api.py``).
"""

from __future__ import annotations

import ctypes
import json
import sys
import types
from enum import Enum
from importlib.machinery import ModuleSpec
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from tests.unit.runtime.tensorrt.fake_cuda import FakeCuda
from tests.unit.runtime.tensorrt.machine import Machine

PLAN = b"plan:"
_now: dict[int, Machine] = {0: Machine()}
"""The machine that the package runs on."""


class NetworkDefinitionCreationFlag(Enum):
    STRONGLY_TYPED = 1

    def __int__(self) -> int:
        return self.value


MemoryPoolType = Enum("MemoryPoolType", ["WORKSPACE"])
ProfilingVerbosity = Enum("ProfilingVerbosity", ["DETAILED"])
LayerInformationFormat = Enum("LayerInformationFormat", ["JSON"])
TensorIOMode = Enum("TensorIOMode", ["INPUT", "OUTPUT"])
DataType = Enum("DataType", ["FLOAT", "HALF", "INT8", "UINT8", "INT32", "INT64"])


class ILogger:
    Severity = Enum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING"])

    def __init__(self) -> None:
        pass


class IProgressMonitor:
    def __init__(self) -> None:
        pass


class ParserError:
    def __init__(self, op: str) -> None:
        self._op = op

    def desc(self) -> str:
        return "No importer registered for op"

    def node_name(self) -> str:
        return "first"

    def node_operator(self) -> str:
        return self._op


class ITensor:
    def __init__(self, value: Any) -> None:
        self.name = value.name
        self.shape = tuple(d.dim_value or -1 for d in value.type.tensor_type.shape.dim)


class INetworkDefinition:
    model: Any = None

    @property
    def num_inputs(self) -> int:
        return len(self.model.graph.input)

    def get_input(self, index: int) -> ITensor:
        return ITensor(self.model.graph.input[index])


class OnnxParser:
    def __init__(self, network: INetworkDefinition, logger: Any) -> None:
        self._network, self.num_errors = network, 0

    def parse(self, model: bytes) -> bool:
        self._network.model = onnx.load_from_string(model)
        ops = {node.op_type for node in self._network.model.graph.node}
        self.num_errors = int(_now[0].refused_op in ops)
        return not self.num_errors

    def get_error(self, index: int) -> ParserError:
        return ParserError(_now[0].refused_op)


class IOptimizationProfile:
    def __init__(self) -> None:
        self.shapes: dict[str, Any] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        self.shapes[input] = (min, opt, max)


class ITimingCache:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def serialize(self) -> bytes:
        return self.data + b"t"


class IBuilderConfig:
    progress_monitor: Any = None
    profiling_verbosity: Any = None

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        pass

    def add_optimization_profile(self, profile: Any) -> int:
        return 0

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        self._cache = cache
        return True

    def get_timing_cache(self) -> ITimingCache:
        return self._cache


class Builder:
    def __init__(self, logger: Any) -> None:
        pass

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        assert flags == 1 << int(NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> bytes:
        _now[0].builds += 1
        config.progress_monitor.phase_start("Building", "", 2)
        assert config.progress_monitor.step_complete("Building", 1)
        config.progress_monitor.phase_finish("Building")
        return PLAN + network.model.SerializeToString()


class IExecutionContext:
    def __init__(self, session: Any) -> None:
        _now[0].contexts += 1
        self._session, self._addresses, self._shapes = session, {}, {}  # type: ignore[var-annotated]

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = shape
        return True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        shapes = dict(self._shapes)
        _now[0].run(lambda: self._execute(shapes))
        return True

    def _execute(self, shapes: dict[str, tuple[int, ...]]) -> None:
        feeds = {}
        for item in self._session.get_inputs():
            kind = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[item.type]
            count = int(np.prod(shapes[item.name]))
            raw = ctypes.string_at(self._addresses[item.name], count * np.dtype(kind).itemsize)
            feeds[item.name] = np.frombuffer(raw, kind).reshape(shapes[item.name])
        for item, value in zip(self._session.get_outputs(), self._session.run(None, feeds), strict=True):
            data = np.ascontiguousarray(value)
            ctypes.memmove(self._addresses[item.name], data.ctypes.data, data.nbytes)


class EngineInspector:
    def __init__(self, model: Any) -> None:
        self._model = model

    def get_engine_information(self, format: Any) -> str:
        return json.dumps({"Layers": [{"Name": node.name} for node in self._model.graph.node]})


class ICudaEngine:
    def __init__(self, graph: bytes) -> None:
        self._model = onnx.load_from_string(graph)
        self._session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
        self._all = [*self._model.graph.input, *self._model.graph.output]
        self.num_io_tensors = len(self._all)

    def get_tensor_name(self, index: int) -> str:
        return str(self._all[index].name)

    def _of(self, name: str) -> Any:
        return next(value for value in self._all if value.name == name)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return ITensor(self._of(name)).shape

    def get_tensor_dtype(self, name: str) -> Any:
        return {1: DataType.FLOAT, 2: DataType.UINT8}[self._of(name).type.tensor_type.elem_type]

    def get_tensor_mode(self, name: str) -> Any:
        inputs = [value.name for value in self._model.graph.input]
        return TensorIOMode.INPUT if name in inputs else TensorIOMode.OUTPUT

    def create_execution_context(self) -> IExecutionContext | None:
        return None if "context" in _now[0].broken else IExecutionContext(self._session)

    def create_engine_inspector(self) -> EngineInspector:
        return EngineInspector(self._model)


class Runtime:
    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        if not serialized_engine.startswith(PLAN):
            self._logger.log(ILogger.Severity.ERROR, "Serialization assertion stdVersionRead == kSTD_VERSION failed")
            return None
        return ICudaEngine(serialized_engine[len(PLAN) :])


OFFERED = (
    NetworkDefinitionCreationFlag, MemoryPoolType, ProfilingVerbosity, LayerInformationFormat, TensorIOMode, DataType,
    ILogger, IProgressMonitor, ParserError, ITensor, INetworkDefinition, OnnxParser, IOptimizationProfile, ITimingCache,
    IBuilderConfig, Builder, IExecutionContext, EngineInspector, ICudaEngine, Runtime,
)  # fmt: skip


def install(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> types.ModuleType:
    """Put the fakes in place of both packages; returns the fake ``tensorrt``."""
    trt = types.ModuleType("tensorrt")
    for each in OFFERED:
        setattr(trt, each.__name__, each)
    trt.__spec__ = ModuleSpec("tensorrt", None)
    trt.__version__ = machine.version  # type: ignore[attr-defined]
    monkeypatch.setitem(_now, 0, machine)
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", FakeCuda(machine))  # type: ignore[arg-type]
    return trt
