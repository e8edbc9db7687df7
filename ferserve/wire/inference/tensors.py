"""Tensors of a model, and the elements of those that a request brings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError, UnsupportedError, quoted
from ferserve.inference import service_pb2 as pb
from ferserve.wire.inference.datatypes import BYTES, CONTENTS, DTYPES

MAX_RANK: Final = 8
"""Axes of a tensor; no model here has as many, and the product of thousands would take long."""
_PREFIX_BYTES: Final = 4
_SHARED_MEMORY: Final = "shared_memory_region"

Array: TypeAlias = "NDArray[np.generic] | list[bytes]"
"""Elements of a tensor; those of BYTES are a flat list."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of a model; ``shape`` has -1 for an axis of any length."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    optional: bool = False

    @property
    def shape_text(self) -> str:
        """Such as ``[-1, 1, 48, 48]``."""
        return str(list(self.shape))


def index_of(request: pb.ModelInferRequest, specs: Sequence[TensorSpec]) -> dict[str, int]:
    """Where in ``request.inputs`` each tensor is.

    Raises :class:`InvalidFrameError` if one is missing, unknown or comes twice, or if raw contents are not as many as
    inputs; :class:`UnsupportedError` for one in shared memory.
    """
    found: dict[str, int] = {}
    known = {spec.name for spec in specs}
    for i, tensor in enumerate(request.inputs):
        name = tensor.name
        if name not in known or name in found:
            wanted = f"each be one of {', '.join(map(repr, sorted(known)))}, once"
            raise InvalidFrameError(f"inputs must {wanted}, got {_names(request.inputs)}; ask ModelMetadata")
        if tensor.parameters and _SHARED_MEMORY in tensor.parameters:
            raise UnsupportedError(
                f"cannot read the input {name!r} from shared memory: this server has no such regions; "
                "send the elements in raw_input_contents"
            )
        found[name] = i
    for spec in specs:
        if not spec.optional and spec.name not in found:
            raise InvalidFrameError(f"inputs must have {spec.name!r}, got {_names(request.inputs)}; ask ModelMetadata")
    raw = len(request.raw_input_contents)
    if raw and raw != len(request.inputs):
        raise InvalidFrameError(
            f"raw_input_contents must be one per input ({len(request.inputs)}) or none, got {raw}; "
            "send all elements there, or all in contents"
        )
    return found


def elements(request: pb.ModelInferRequest, index: int, spec: TensorSpec, max_elements: int) -> Array:
    """The elements of input ``index``: an array of the shape that the request gives, or a list of bytes.

    Raw contents are not copied; the array is read-only then. Raises :class:`InvalidFrameError` if datatype, shape or
    length do not fit ``spec`` and each other, or there are more than ``max_elements``.
    """
    tensor = request.inputs[index]
    shape = require_shape(tensor, spec)
    count = math.prod(shape)
    if count > max_elements:
        raise InvalidFrameError(
            f"elements of {spec.name!r} must be at most {max_elements}, got {count} in the shape {list(shape)}; "
            "send them in parts"
        )
    has_raw = len(request.raw_input_contents) > 0
    if has_raw and tensor.HasField("contents"):
        raise InvalidFrameError(f"elements of {spec.name!r} must be in contents or in raw_input_contents, got both")
    if spec.datatype == BYTES:
        return _strings(request.raw_input_contents[index], count, spec) if has_raw else _typed_bytes(tensor, count)
    if has_raw:
        return raw_array(request.raw_input_contents[index], shape, spec)
    return _typed_array(tensor, shape, spec)


def require_shape(tensor: pb.ModelInferRequest.InferInputTensor, spec: TensorSpec) -> tuple[int, ...]:
    """The shape of ``tensor``; raises :class:`InvalidFrameError` if it, or the datatype, does not fit ``spec``."""
    if tensor.datatype != spec.datatype:
        raise InvalidFrameError(
            f"datatype of {spec.name!r} must be {spec.datatype}, got {quoted(tensor.datatype)}; convert the elements"
        )
    fits = len(tensor.shape) == len(spec.shape) <= MAX_RANK and all(
        got >= 0 and wanted in (-1, got) for got, wanted in zip(tensor.shape, spec.shape, strict=True)
    )
    if not fits:
        got = list(tensor.shape[: MAX_RANK + 1])
        raise InvalidFrameError(
            f"shape of {spec.name!r} must be {spec.shape_text}, got {got}; -1 stands for any length"
        )
    return tuple(tensor.shape)


def raw_array(raw: bytes, shape: tuple[int, ...], spec: TensorSpec) -> NDArray[np.generic]:
    """``raw`` as a read-only array, without a copy; raises :class:`InvalidFrameError` for another length."""
    dtype = DTYPES[spec.datatype]
    wanted = math.prod(shape) * dtype.itemsize
    if len(raw) != wanted:
        raise InvalidFrameError(
            f"raw contents of {spec.name!r} must have {wanted} bytes for {spec.datatype} {list(shape)}, got {len(raw)}"
        )
    if spec.datatype == "BOOL":  # any other byte than 0 and 1 would be no bool of NumPy's
        return np.asarray(np.frombuffer(raw, np.uint8).reshape(shape) != 0)
    return np.frombuffer(raw, dtype).reshape(shape)


def to_raw(array: Array) -> bytes:
    """The elements in the form of raw contents."""
    if isinstance(array, list):
        return b"".join([len(item).to_bytes(_PREFIX_BYTES, "little") + item for item in array])
    return array.tobytes()


def _strings(raw: bytes, count: int, spec: TensorSpec) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    for _ in range(count):
        end = at + _PREFIX_BYTES
        length = int.from_bytes(raw[at:end], "little")
        if end > len(raw) or end + length > len(raw):
            raise InvalidFrameError(
                f"raw contents of {spec.name!r} must be {count} elements, each after its length in 4 bytes, got "
                f"{len(raw)} bytes that end within element {len(found)}"
            )
        found.append(raw[end : end + length])
        at = end + length
    if at != len(raw):
        raise InvalidFrameError(
            f"raw contents of {spec.name!r} must end after {count} elements, got {len(raw) - at} bytes more"
        )
    return found


def _typed_bytes(tensor: pb.ModelInferRequest.InferInputTensor, count: int) -> list[bytes]:
    _require_contents(tensor, count)
    return list(tensor.contents.bytes_contents)


def _typed_array(
    tensor: pb.ModelInferRequest.InferInputTensor, shape: tuple[int, ...], spec: TensorSpec
) -> NDArray[np.generic]:
    if spec.datatype not in CONTENTS:
        raise InvalidFrameError(f"elements of {spec.datatype} must be in raw_input_contents, got none there")
    _require_contents(tensor, math.prod(shape))
    values = getattr(tensor.contents, CONTENTS[spec.datatype])
    dtype = DTYPES[spec.datatype]
    if dtype.kind not in "iu" or dtype.itemsize > 2:  # its field is as wide
        return np.array(values, dtype).reshape(shape)
    array = np.array(values, np.int64)
    bits = 8 * dtype.itemsize
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)
    if array.size and not low <= array.min() <= array.max() <= high:
        raise InvalidFrameError(
            f"elements of {spec.name!r} must be from {low} to {high}, got {array.min()} to {array.max()}"
        )
    return array.astype(dtype).reshape(shape)


def _require_contents(tensor: pb.ModelInferRequest.InferInputTensor, count: int) -> None:
    """Exactly ``count`` elements in the field of the tensor's datatype, and nothing in another."""
    field = CONTENTS[tensor.datatype]
    got = len(getattr(tensor.contents, field))
    others = [descriptor.name for descriptor, _ in tensor.contents.ListFields() if descriptor.name != field]
    if others:
        raise InvalidFrameError(f"elements of {tensor.datatype} must be in {field}, got {', '.join(others)}")
    if got != count:
        raise InvalidFrameError(
            f"elements of {quoted(tensor.name)} must be {count} in {field} or in raw_input_contents, got {got}"
        )


def _names(inputs: Any) -> str:
    return quoted([tensor.name for tensor in inputs[:MAX_RANK]]) if inputs else "none"
