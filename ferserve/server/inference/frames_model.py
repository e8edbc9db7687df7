"""A model behind the whole pipeline: pictures in, faces out; a sequence of them is a stream with tracks."""

from __future__ import annotations

import asyncio
import json
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial

from ferserve.errors import (
    FerserveError,
    FrameDeadlineError,
    InvalidFrameError,
    InvalidOptionsError,
    ModelNotReadyError,
    OverloadedError,
)
from ferserve.inference import service_pb2 as pb
from ferserve.runtime.loader import LoadedModel
from ferserve.runtime.run_counts import RunCounts
from ferserve.scheduling.stream import EngineStream
from ferserve.server.inference.door import CallScope, Door
from ferserve.server.inference.sequences import IDLE_S, Sequences
from ferserve.server.inference.statistics import RequestStatistics, Stages
from ferserve.types import DropReason, EncodedImage, FrameResult, RawImage
from ferserve.wire.inference.frames import IMAGES, PIXELS, arrays_of, frame_of, heads_of, output_specs, payloads_of
from ferserve.wire.inference.metadata import config_to_proto, metadata_to_proto
from ferserve.wire.inference.parameters import (
    FRAME_OPTIONS,
    OF_A_FRAME,
    OF_A_SEQUENCE,
    OF_EVERY_REQUEST,
    STREAM_OPTIONS,
    Parameters,
    SequenceControl,
    frame_options_of,
    parameters_of,
    priority_of,
    sequence_of,
    stream_options_of,
    timeout_s_of,
)
from ferserve.wire.inference.responses import parameter, response_of, wanted_outputs

SUFFIX = "_frames"
_KNOWN = (*OF_EVERY_REQUEST, *OF_A_FRAME, *OF_A_SEQUENCE, *FRAME_OPTIONS, *STREAM_OPTIONS, "delivery")
_OF_A_START = (*STREAM_OPTIONS, *FRAME_OPTIONS, "delivery")
_NS_PER_MS = 1e6
_DROPPED: Mapping[DropReason, tuple[type[FerserveError], str]] = {
    DropReason.SUPERSEDED: (OverloadedError, "a newer one of its sequence came; set delivery to 'every' to have all"),
    DropReason.OVERLOADED: (OverloadedError, "too many wait; try again later"),
    DropReason.DEADLINE: (FrameDeadlineError, "its deadline passed; raise frame_deadline_ms, or send fewer frames"),
    DropReason.SHUTDOWN: (ModelNotReadyError, "its sequence was closed; start it again, or try another server"),
}


class FramesModel:
    """One loaded version of a model. For the event loop's thread alone."""

    def __init__(
        self, key: str, loaded: LoadedModel, door: Door, statistics: RequestStatistics, sequences: Sequences
    ) -> None:
        """``key`` is what the engine calls it: a name, or a name and a version."""
        self.key, self._loaded = key, weakref.ref(loaded)
        self.name, self.version = loaded.spec.name + SUFFIX, loaded.spec.version
        self._door, self._statistics, self._sequences = door, statistics, sequences
        self._heads = {head.name: head.labels for head in loaded.spec.heads}
        self._outputs = output_specs(self._heads)
        self._runs = RunCounts()
        statistics.watch(self._runs)

    async def infer(self, request: pb.ModelInferRequest, scope: CallScope) -> pb.ModelInferResponse:
        """Answer one request; raises what makes it fail."""
        arrival_ns = time.monotonic_ns()
        try:
            response, stages = await self._infer(request, scope)
        except BaseException:
            self._statistics.failed(time.monotonic_ns() - arrival_ns)
            raise
        self._statistics.succeeded(time.monotonic_ns() - arrival_ns, stages)
        return response

    async def _infer(self, request: pb.ModelInferRequest, scope: CallScope) -> tuple[pb.ModelInferResponse, Stages]:
        parameters = parameters_of(request, _KNOWN)
        control, timeout_s = sequence_of(parameters), timeout_s_of(parameters)
        if control is None:
            results = await self._classify(request, parameters, scope, timeout_s)
        else:
            results = [await self._follow(request, parameters, control, scope, timeout_s)]
        answered_ns = time.monotonic_ns()
        heads = heads_of(results) or self._heads  # a stream may have gone on with another version of the model
        outputs = self._outputs if heads == self._heads else output_specs(heads)
        notes = "; ".join(result.degraded for result in results if result.degraded)
        response = response_of(
            request,
            (self.name, results[-1].model_version),
            wanted_outputs(request, outputs),
            arrays_of(results, heads),
            {"degraded": parameter(notes)} if notes else None,
        )
        return response, self._stages(results, time.monotonic_ns() - answered_ns)

    def _stages(self, results: list[FrameResult], output_ns: int) -> Stages:
        stages = Stages(output_ns=output_ns)
        for timings in (result.timings for result in results):
            infer_ns = int(timings.infer_ms * _NS_PER_MS)
            self._runs.add(1, infer_ns)
            stages.infer_ns += infer_ns
            stages.queue_ns += int(timings.queue_ms * _NS_PER_MS)
            stages.input_ns += int((timings.decode_ms + timings.detect_ms + timings.preprocess_ms) * _NS_PER_MS)
        return stages

    async def _classify(
        self, request: pb.ModelInferRequest, parameters: Parameters, scope: CallScope, timeout_s: float | None
    ) -> list[FrameResult]:
        """Pictures that have nothing to do with each other."""
        priority_of(parameters)
        given = [name for name in (*STREAM_OPTIONS, "delivery") if name in parameters]
        if given:
            raise InvalidOptionsError(f"{given[0]} must come with sequence_start, got a request without a sequence_id")
        options = frame_options_of(parameters, self.key)
        payloads = self._payloads(request, parameters)
        wanted_outputs(request, self._outputs)
        futures: list[Future[FrameResult]] = []
        try:
            for number, payload in enumerate(payloads):
                frame = frame_of(payload, parameters, number)
                futures.append(self._door.engine.submit(frame, options, scope.caller))
            waits = [self._door.outcome(future, timeout_s) for future in futures]
            return await asyncio.gather(*waits)
        except InvalidFrameError as error:
            raise self._named(error, futures) from None
        finally:
            for future in futures:
                future.cancel()

    def _payloads(self, request: pb.ModelInferRequest, parameters: Parameters) -> list[EncodedImage | RawImage]:
        return payloads_of(request, parameters, self._door.engine.config.max_pixels)

    def _named(self, error: InvalidFrameError, futures: list[Future[FrameResult]]) -> InvalidFrameError:
        """The error of one of several pictures says which one."""
        if len(futures) < 2:
            return error
        faulty = [i for i, future in enumerate(futures) if future.done() and not future.cancelled()]
        number = next((i for i in faulty if futures[i].exception() is error), -1)
        return InvalidFrameError(f"{IMAGES.name}[{number}]: {error}") if number >= 0 else error

    async def _follow(
        self,
        request: pb.ModelInferRequest,
        parameters: Parameters,
        control: SequenceControl,
        scope: CallScope,
        timeout_s: float | None,
    ) -> FrameResult:
        """A frame of a sequence."""
        if not control.start and (given := [name for name in _OF_A_START if name in parameters]):
            raise InvalidOptionsError(f"{given[0]} must come with sequence_start, got a later request of the sequence")
        open_stream = partial(self._open_stream, parameters, scope)
        with self._sequences.request(self.name, control, scope, open_stream) as sequence:
            payloads = self._payloads(request, parameters)
            wanted_outputs(request, self._outputs)
            if len(payloads) != 1:
                raise InvalidFrameError(f"{IMAGES.name} must hold one image in a sequence, got {len(payloads)}")
            frame = frame_of(payloads[0], parameters, sequence.next_frame_id())
            result = await self._door.outcome(sequence.stream.submit(frame), timeout_s)
        if result.fault is not None:
            raise InvalidFrameError(result.fault.message)
        if result.dropped is not None:
            error, why = _DROPPED[result.dropped]
            raise error(f"cannot classify the frame: {why}")
        return result

    def _open_stream(self, parameters: Parameters, scope: CallScope) -> EngineStream:
        return self._door.engine.open_stream(stream_options_of(parameters, self.key), scope.caller)

    def is_of(self, loaded: LoadedModel) -> bool:
        """Whether it was made for ``loaded``; a model that nobody else holds is freed in spite of it."""
        return self._loaded() is loaded

    def metadata(self, versions: Sequence[str]) -> pb.ModelMetadataResponse:
        """Its tensors, and all versions of the model."""
        return metadata_to_proto(self.name, versions, (IMAGES, PIXELS), self._outputs)

    @property
    def config(self) -> pb.ModelConfig:
        """How it is served."""
        labels = {f"labels_{head}": json.dumps(labels) for head, labels in self._heads.items()}
        config = config_to_proto(self.name, (IMAGES, PIXELS), self._outputs, labels, max_batch_size=0)
        config.sequence_batching.max_sequence_idle_microseconds = int(IDLE_S * 1e6)
        return config
