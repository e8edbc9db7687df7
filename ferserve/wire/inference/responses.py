"""Responses: arrays by name as a message, those that were asked for, in the form that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError, InvalidOptionsError, UnsupportedError, quoted
from ferserve.inference import service_pb2 as pb
from ferserve.wire.inference.datatypes import BYTES
from ferserve.wire.inference.tensors import Array, to_raw

_CLASSIFICATION: Final = "classification"
_IGNORED: Final = ("binary_data",)
"""Of the protocol's REST form."""
FINAL: Final = "triton_final_response"
"""Of a response in a stream: true, since no further one belongs to the same request."""


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """An output of a model; ``labels`` are those of its last axis, if it is one of probabilities."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that a request asks for; ``classes`` is the number of its largest values, 0 for all as numbers."""

    spec: OutputSpec
    index: int
    classes: int = 0


def wanted_outputs(request: pb.ModelInferRequest, specs: Sequence[OutputSpec]) -> list[WantedOutput]:
    """The outputs that ``request`` asks for, all if it names none.

    Raises :class:`InvalidFrameError` for an unknown one, :class:`InvalidOptionsError` for a parameter that is wrong,
    and :class:`UnsupportedError` for shared memory.
    """
    if not request.outputs:
        return [WantedOutput(spec, i) for i, spec in enumerate(specs)]
    by_name = {spec.name: (i, spec) for i, spec in enumerate(specs)}
    wanted = []
    for output in request.outputs:
        if output.name not in by_name:
            raise InvalidFrameError(
                f"outputs must be some of {', '.join(map(repr, by_name))}, got {quoted(output.name)}; ask ModelMetadata"
            )
        index, spec = by_name.pop(output.name)
        wanted.append(WantedOutput(spec, index, _classes(output, spec)))
    return wanted


def _classes(output: pb.ModelInferRequest.InferRequestedOutputTensor, spec: OutputSpec) -> int:
    if not output.parameters:
        return 0
    for name in output.parameters:
        if name.startswith("shared_memory"):
            raise UnsupportedError(
                f"cannot write the output {spec.name!r} to shared memory: this server has no such regions; "
                "read it from raw_output_contents"
            )
        if name not in (_CLASSIFICATION, *_IGNORED):
            raise InvalidOptionsError(f"parameters of outputs must be {_CLASSIFICATION}, got {quoted(name)}")
    if _CLASSIFICATION not in output.parameters:
        return 0
    parameter = output.parameters[_CLASSIFICATION]
    value = getattr(parameter, parameter.WhichOneof("parameter_choice") or "bool_param")
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidOptionsError(f"{_CLASSIFICATION} must be an integer of at least 0, got {quoted(value)}")
    if value and not spec.labels:
        raise InvalidOptionsError(
            f"{_CLASSIFICATION} must be left out for {spec.name!r}, whose values are no probabilities"
        )
    return min(value, len(spec.labels))


def response_of(
    request: pb.ModelInferRequest,
    model: tuple[str, str],
    wanted: Sequence[WantedOutput],
    arrays: Sequence[Array],
    parameters: Mapping[str, Any] | None = None,
) -> pb.ModelInferResponse:
    """The response to ``request`` of ``model``, its name and version, with ``arrays`` in the order of its outputs."""
    outputs, raw = [], []
    for output in wanted:
        array, datatype = arrays[output.index], output.spec.datatype
        shape: Sequence[int] = [len(array)] if isinstance(array, list) else array.shape
        if output.classes and not isinstance(array, list):
            shape, array, datatype = [*shape[:-1], output.classes], _classified(array, output), BYTES
        outputs.append({"name": output.spec.name, "datatype": datatype, "shape": shape})
        raw.append(to_raw(array))
    return pb.ModelInferResponse(
        model_name=model[0],
        model_version=model[1],
        id=request.id,
        outputs=outputs,
        raw_output_contents=raw,
        parameters=parameters,
    )


def _classified(array: NDArray[np.generic], output: WantedOutput) -> list[bytes]:
    """Of each row the largest values, as ``VALUE:INDEX:LABEL``, in Triton's form."""
    rows = np.asarray(array, np.float64).reshape(-1, array.shape[-1])
    labels = output.spec.labels
    return [
        f"{row[i]:f}:{i}:{labels[i]}".encode()
        for row, order in zip(rows, np.argsort(-rows, axis=1, kind="stable"), strict=True)
        for i in order[: output.classes]
    ]


def parameter(value: bool | int | str | float) -> dict[str, Any]:
    """A parameter of a response, as a mapping that stands for its message."""
    if isinstance(value, bool):
        return {"bool_param": value}
    if isinstance(value, int):
        return {"int64_param": value}
    return {"string_param": value} if isinstance(value, str) else {"double_param": value}
