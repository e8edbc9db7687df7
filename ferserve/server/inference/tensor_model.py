"""A model as tensors: its preprocessed input, and the probabilities of its heads."""

from __future__ import annotations

import dataclasses
import json
import time
import weakref
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ferserve.errors import InvalidFrameError, InvalidOptionsError
from ferserve.inference import service_pb2 as pb
from ferserve.runtime.base import Tensor
from ferserve.runtime.loader import LoadedModel
from ferserve.server.inference.door import CallScope, Door
from ferserve.server.inference.statistics import RequestStatistics, Stages
from ferserve.wire.inference.datatypes import datatype_of
from ferserve.wire.inference.metadata import config_to_proto, metadata_to_proto
from ferserve.wire.inference.parameters import (
    OF_A_SEQUENCE,
    OF_EVERY_REQUEST,
    parameters_of,
    priority_of,
    sequence_of,
    timeout_s_of,
)
from ferserve.wire.inference.responses import OutputSpec, response_of, wanted_outputs
from ferserve.wire.inference.tensors import TensorSpec, elements, index_of

_KNOWN = (*OF_EVERY_REQUEST, *OF_A_SEQUENCE)


class TensorModel:
    """One loaded version of a model. For the event loop's thread alone."""

    def __init__(self, key: str, loaded: LoadedModel, door: Door, statistics: RequestStatistics) -> None:
        """``key`` is what the engine calls it: a name, or a name and a version."""
        self.key, self._loaded = key, weakref.ref(loaded)
        self.name, self.version, self._sha256 = loaded.spec.name, loaded.spec.version, loaded.sha256
        self._spec = loaded.spec
        self._door, self._statistics = door, statistics
        spec = loaded.spec.input
        self._max_rows = door.engine.config.max_faces
        self._input = TensorSpec(spec.name, datatype_of(spec.dtype), (-1, *spec.row_shape))
        self._max_elements = self._max_rows * int(np.prod(spec.row_shape))
        self._outputs = [
            OutputSpec(head.name, "FP32", (-1, len(head.labels)), head.labels) for head in loaded.spec.heads
        ]
        self._all_outputs = wanted_outputs(pb.ModelInferRequest(), self._outputs)
        statistics.watch(loaded.classifier.runs)

    async def infer(self, request: pb.ModelInferRequest, scope: CallScope) -> pb.ModelInferResponse:
        """Answer one request; raises what makes it fail."""
        arrival_ns = time.monotonic_ns()
        try:
            response, stages = await self._infer(request, scope, arrival_ns)
        except BaseException:
            self._statistics.failed(time.monotonic_ns() - arrival_ns)
            raise
        self._statistics.succeeded(time.monotonic_ns() - arrival_ns, stages)
        return response

    async def _infer(
        self, request: pb.ModelInferRequest, scope: CallScope, arrival_ns: int
    ) -> tuple[pb.ModelInferResponse, Stages]:
        timeout_s = self._timeout_s(request) if request.parameters else None
        wanted = wanted_outputs(request, self._outputs) if request.outputs else self._all_outputs
        rows = self._rows(request)
        submitted_ns = time.monotonic_ns()
        future = self._door.engine.submit_rows(self._loaded() or self.key, rows, scope.caller)
        arrays = await self._door.outcome(future, timeout_s)
        answered_ns = time.monotonic_ns()
        response = response_of(request, (self.name, self.version), wanted, arrays)
        return response, Stages(
            queue_ns=future.began_ns - submitted_ns,
            input_ns=submitted_ns - arrival_ns,
            infer_ns=future.ended_ns - future.began_ns,
            output_ns=time.monotonic_ns() - answered_ns,
        )

    def _rows(self, request: pb.ModelInferRequest) -> Tensor:
        index = index_of(request, (self._input,))[self._input.name]
        rows = elements(request, index, self._input, self._max_elements)
        if not isinstance(rows, np.ndarray) or not len(rows):
            raise InvalidFrameError(f"{self._input.name} must have from 1 to {self._max_rows} rows, got none")
        return rows

    def _timeout_s(self, request: pb.ModelInferRequest) -> float | None:
        parameters = parameters_of(request, _KNOWN)
        priority_of(parameters)
        if sequence_of(parameters) is not None:
            raise InvalidOptionsError(
                f"sequence_id must be left out for {self.name!r}, which remembers nothing; send pictures to "
                f"'{self.name}_frames'"
            )
        return timeout_s_of(parameters)

    def is_of(self, loaded: LoadedModel) -> bool:
        """Whether it was made for ``loaded``; a model that nobody else holds is freed in spite of it."""
        return self._loaded() is loaded

    def metadata(self, versions: Sequence[str]) -> pb.ModelMetadataResponse:
        """Its tensors, and all versions of the model."""
        return metadata_to_proto(self.name, versions, [self._input], self._outputs)

    @cached_property
    def config(self) -> pb.ModelConfig:
        """How it is served, and how its input is made."""
        spec = self._spec
        parameters = {
            "preprocessing": json.dumps(dataclasses.asdict(spec.input)),
            **{f"labels_{head.name}": json.dumps(head.labels) for head in spec.heads},
            "sha256": self._sha256,
            "license": spec.license,
        }
        config = config_to_proto(self.name, [self._input], self._outputs, parameters, max_batch_size=self._max_rows)
        config.dynamic_batching.max_queue_delay_microseconds = self._door.engine.config.max_queue_delay_us
        return config
