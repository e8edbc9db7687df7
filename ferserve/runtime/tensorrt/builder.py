"""From an ONNX graph to a serialised engine for this GPU."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ferserve.errors import ModelSpecError

if TYPE_CHECKING:
    import tensorrt as trt

    class Logger(trt.ILogger):
        """Keeps the last error for messages."""

        last: str


log = logging.getLogger(__name__)

_SAY_EVERY_S = 5.0
_WORKSPACE_BYTES = 1 << 30
"""Most scratch memory of a kernel; more is asked for by none of such networks."""


@dataclass(frozen=True)
class Built:
    """An engine, and the timings of kernels that its building measured."""

    engine: bytes
    timings: bytes
    seconds: float


def build_engine(graph: bytes, name: str, max_rows: int, timings: bytes) -> Built:
    """Build for batches of 1 to ``max_rows`` rows. Takes seconds to minutes, and says how far it is.

    ``timings`` are those of an earlier build, or empty. Raises :class:`ModelSpecError` if TensorRT cannot build it.
    """
    import tensorrt as trt

    start = time.monotonic()
    log.warning("TensorRT builds an engine for %s; this can take minutes, once", name)
    logger = make_logger()
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        raise ModelSpecError(f"{name} must be a graph that TensorRT can run, got: {_why(parser)}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # the inspector tells where each layer runs
    config.add_optimization_profile(_profile(builder, network, name, max_rows))
    cache = config.create_timing_cache(timings)
    config.set_timing_cache(cache, False)
    config.progress_monitor = _make_progress(name, start)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise ModelSpecError(f"{name} must be a graph that TensorRT can build, got: {logger.last or 'no reason'}")
    seconds = time.monotonic() - start
    log.warning("TensorRT built the engine for %s in %.1f s", name, seconds)
    return Built(bytes(engine), bytes(config.get_timing_cache().serialize()), seconds)


def _profile(
    builder: trt.Builder, network: trt.INetworkDefinition, name: str, max_rows: int
) -> trt.IOptimizationProfile:
    profile = builder.create_optimization_profile()
    for number in range(network.num_inputs):
        tensor = network.get_input(number)
        row = tuple(tensor.shape)[1:]
        if any(size < 0 for size in row):
            raise ModelSpecError(
                f"{name} must have one free axis, its batch, got an input of shape {tuple(tensor.shape)}"
            )
        if tensor.shape[0] < 0:
            profile.set_shape(tensor.name, (1, *row), (max(1, max_rows // 4), *row), (max_rows, *row))
    return profile


def _why(parser: trt.OnnxParser) -> str:
    if not parser.num_errors:
        return "no reason"
    error = parser.get_error(0)
    return f"{error.node_operator()} {error.node_name()}: {error.desc()}".strip().replace("\n", " ")[:300]


def make_logger() -> Logger:
    """A logger for TensorRT; what goes wrong there goes to ``-v``."""
    import tensorrt as trt

    class LastError(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last = ""

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.last = msg.strip().replace("\n", " ")[:300]
                log.info("TensorRT: %s", self.last)

    return LastError()  # type: ignore[return-value]  # a class of this kind can only be made once tensorrt is imported


def _make_progress(name: str, start: float) -> trt.IProgressMonitor:
    import tensorrt as trt

    class Progress(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}
            self._said = start

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps

        def step_complete(self, phase_name: str, step: int) -> bool:
            now = time.monotonic()
            if now - self._said >= _SAY_EVERY_S:
                self._said = now
                of = self._steps.get(phase_name, 0)
                log.warning("TensorRT builds %s: %s, step %d of %d, %.0f s", name, phase_name, step, of, now - start)
            return True  # False would end the build

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

    return Progress()
