"""Mutated requests of the Open Inference Protocol: ``python -m tests.fuzz.inference --seconds 60 --seed 0``.

Each goes through the real handlers to a real engine. It must be answered, or raise an error of ours or protobuf's,
within 20 s; a stream must answer each of its requests, and no answer may be an internal error. What breaks this is
written to ``build/fuzz``.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter, deque
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
from google.protobuf.message import DecodeError

from ferserve.auth.identity import Identity
from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.errors import FerserveError
from ferserve.inference import service_pb2 as pb
from ferserve.server.inference.servicer import InferenceServicer
from ferserve.server.model_admin import ModelAdmin
from ferserve.wire.bounds import bounded
from ferserve.wire.inference.datatypes import BYTES, DTYPES
from ferserve.wire.inference.tensors import to_raw
from tests import builders
from tests.fuzz import campaign
from tests.fuzz.mutations import mutated
from tests.tiny_models import write_brightness_model

HANG_S = 20.0
MAX_MESSAGE = 1000
SMALL = builders.jpeg(cv2.resize(builders.astronaut(), (96, 96), interpolation=cv2.INTER_AREA))
ROW = np.full((1, 1, 8, 8), 0.5, np.float32)
NAMES = ["brightness", "brightness_frames", "input", "images", "pixels", "emotion", "labels", "", "x", "_frames", "m@1"]
NUMBERS = [0, 1, 2, 7, -1, 64, 65, 2**31, 2**62, -(2**63), 2**63 - 1]
PARAMETERS = [
    "sequence_id",
    "sequence_start",
    "sequence_end",
    "priority",
    "timeout",
    "smoothing_ms",
    "delivery",
    "min_score",
    "max_faces",
    "capture_time_ns",
    "neutral",
    "pixel_format",
    "frame_deadline_ms",
    "triton_x",
    "shared_memory_region",
    "classification",
    "use_truncated",
    "neutral_first_ms",
    "detection_interval",
    "min_detection_interval",
]
VALUES = [True, False, *NUMBERS, "7", "latest", "every", "bgr", "x" * 200, "", 0.5, -1.0, float("nan"), float("inf")]
Drawn = list[tuple[str, Any, bytes]]


class Context:
    """What gRPC tells a handler of its call; its messages are given."""

    identity = Identity("fuzz", "admin")

    def __init__(self, messages: list[Any], connection: int) -> None:
        self._messages = deque(messages)
        self._connection = connection
        self.written: list[Any] = []

    def peer(self) -> str:
        return f"ipv4:10.0.0.1:{self._connection}"

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return []

    async def read(self) -> Any:
        await asyncio.sleep(0)
        return self._messages.popleft() if self._messages else grpc.aio.EOF

    async def write(self, message: Any) -> None:
        self.written.append(message)


def _infer(model: str, name: str, datatype: str, shape: Any, raw: bytes, **parameters: Any) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name=model, id="id", raw_input_contents=[raw])
    request.inputs.add(name=name, datatype=datatype, shape=shape)
    for key, value in parameters.items():
        _set(request.parameters[key], value)
    return request


def seeds() -> list[tuple[str, Any]]:
    """A request for every method, and several for ModelInfer."""
    tensor = _infer("brightness", "input", "FP32", ROW.shape, ROW.tobytes(), timeout=10_000_000, priority=1)
    typed = pb.ModelInferRequest(model_name="brightness")
    typed.inputs.add(name="input", datatype="FP32", shape=ROW.shape).contents.fp32_contents.extend(ROW.ravel().tolist())
    typed.outputs.add(name="emotion").parameters["classification"].int64_param = 2
    frames = "brightness_frames"
    started = _infer(frames, "images", BYTES, [1], to_raw([SMALL]), sequence_id=1, sequence_start=True, smoothing_ms=9)
    requests = [
        tensor,
        typed,
        started,
        _infer(frames, "images", BYTES, [1], to_raw([SMALL]), sequence_id=1, capture_time_ns=5),
        _infer(frames, "images", BYTES, [1], to_raw([SMALL]), sequence_id="a", sequence_start=True, sequence_end=True),
        _infer(frames, "images", BYTES, [2], to_raw([SMALL, b"no picture"]), max_faces=1),
        _infer(frames, "pixels", "UINT8", [4, 4, 3], bytes(48), pixel_format="bgr"),
    ]
    others = [
        ("ModelMetadata", pb.ModelMetadataRequest(name="brightness", version="1")),
        ("ModelConfig", pb.ModelConfigRequest(name=frames)),
        ("ModelReady", pb.ModelReadyRequest(name=frames)),
        ("ModelStatistics", pb.ModelStatisticsRequest(name="brightness")),
        ("RepositoryIndex", pb.RepositoryIndexRequest(ready=True)),
        ("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="brightness")),
        ("TraceSetting", pb.UnsupportedRequest()),
    ]
    return [*(("ModelInfer", request) for request in requests * 3), *others]


def _set(parameter: pb.InferParameter, value: Any) -> None:
    if isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int):
        parameter.int64_param = value
    elif isinstance(value, str):
        parameter.string_param = value
    else:
        parameter.double_param = value


def restructured(rng: random.Random, request: Any) -> Any:
    """A valid message that says something else: other names, shapes, datatypes, parameters, lengths."""
    changed = type(request).FromString(request.SerializeToString())
    if not isinstance(changed, pb.ModelInferRequest):
        return changed
    for _ in range(rng.choice((1, 1, 2, 4))):
        tensor = rng.choice(changed.inputs) if changed.inputs else changed.inputs.add()
        _CHANGES[rng.randrange(len(_CHANGES))](rng, changed, tensor)
    return changed


def _other_parameter(rng: random.Random, request: Any, tensor: Any) -> None:
    holder = rng.choice([request, request, request, tensor, *request.outputs])
    _set(holder.parameters[rng.choice(PARAMETERS)], rng.choice(VALUES))


def _other_shape(rng: random.Random, request: Any, tensor: Any) -> None:
    shape = [rng.choice(NUMBERS) if rng.random() < 0.4 else axis for axis in tensor.shape]
    del tensor.shape[:]
    tensor.shape.extend(shape[: rng.randrange(6)] + [rng.choice(NUMBERS)] * rng.choice((0, 0, 1, 2000)))


def _other_raw(rng: random.Random, request: Any, tensor: Any) -> None:
    if request.raw_input_contents:
        index = rng.randrange(len(request.raw_input_contents))
        raw = request.raw_input_contents[index]
        request.raw_input_contents[index] = rng.choice([raw[:-1], raw * 2, b"", rng.randbytes(4) + raw[4:], raw + b"x"])
    else:
        request.raw_input_contents.append(rng.randbytes(rng.randrange(300)))


def _other_contents(rng: random.Random, request: Any, tensor: Any) -> None:
    field = rng.choice(["int_contents", "uint_contents", "fp32_contents", "bool_contents", "bytes_contents"])
    value = b"x" if field == "bytes_contents" else rng.choice([0, 1, 300])
    getattr(tensor.contents, field).extend([value] * rng.choice((0, 1, 64, 5000)))
    if rng.random() < 0.5:
        del request.raw_input_contents[:]


_CHANGES: list[Any] = [
    _other_parameter,
    _other_parameter,
    _other_shape,
    _other_raw,
    _other_contents,
    lambda rng, request, tensor: setattr(tensor, "name", rng.choice(NAMES)),
    lambda rng, request, tensor: setattr(tensor, "datatype", rng.choice([*DTYPES, BYTES, "", "BF16"])),
    lambda rng, request, tensor: setattr(request, "model_name", rng.choice(NAMES)),
    lambda rng, request, tensor: setattr(
        request, "model_version", rng.choice(["", "1", "2", "latest", "@", "x" * 999])
    ),
    lambda rng, request, tensor: request.outputs.add(name=rng.choice(NAMES)),
    lambda rng, request, tensor: request.inputs.add(name=rng.choice(NAMES), datatype="UINT8", shape=[1]),
]


class Door:
    """The handlers on an engine, without a network."""

    def __init__(self, folder: Path) -> None:
        write_brightness_model(folder / "brightness.onnx")
        self.engine = Engine(EngineConfig(model="brightness", model_dir=str(folder), threads=2))
        self.loop = asyncio.new_event_loop()
        self.servicer = InferenceServicer(self.engine, ServerConfig(admin=True), lambda: True, ModelAdmin(self.engine))
        self.loop.run_until_complete(self._register())

    async def _register(self) -> None:
        self.servicer.register(grpc.aio.server())

    def close(self) -> None:
        """End the engine and the loop."""
        self.loop.run_until_complete(self.servicer.drain(0))
        self.engine.close()
        self.loop.close()

    def judge(self, rng: random.Random, drawn: Drawn) -> str:
        """What came of the requests: of one by its method, of several in one stream."""
        return self.loop.run_until_complete(asyncio.wait_for(self._judge(rng, drawn), HANG_S))

    async def _judge(self, rng: random.Random, drawn: Drawn) -> str:
        method, kind, data = drawn[0]
        context = Context([], rng.randrange(3))
        if len(drawn) == 1:
            try:
                request = bounded(kind.FromString)(data)
                await getattr(self.servicer, method)(request, context)
            except (DecodeError, FerserveError) as error:
                return type(error).__name__ if len(str(error)) < MAX_MESSAGE else _too_long(error)
            return "an answer"
        messages = [kind.FromString(data) for _, kind, data in drawn]
        context = Context(messages, 0)
        await self.servicer.ModelStreamInfer(None, context)
        assert len(context.written) == len(messages)
        said = Counter(bool(answer.error_message) for answer in context.written)
        assert not any(answer.error_message.startswith("internal") for answer in context.written)
        return f"a stream of {len(messages)}, {said[True]} errors"


def _too_long(error: Exception) -> str:
    raise AssertionError(f"a message of {len(str(error))} characters") from error


class Draw:
    """Draws one request, or the requests of one stream."""

    def __init__(self) -> None:
        self._known = seeds()
        self._others = [request.SerializeToString() for _, request in self._known]
        self._of_streams = [request for method, request in self._known if method == "ModelInfer"]

    def __call__(self, rng: random.Random) -> Drawn:
        if rng.random() < 0.2:
            chosen = [rng.choice(self._of_streams) for _ in range(rng.randrange(2, 7))]
            requests = [restructured(rng, request) if rng.random() < 0.5 else request for request in chosen]
            return [("ModelStreamInfer", type(request), request.SerializeToString()) for request in requests]
        method, request = rng.choice(self._known)
        if rng.random() < 0.6:
            return [(method, type(request), restructured(rng, request).SerializeToString())]
        return [(method, type(request), mutated(rng, request.SerializeToString(), self._others))]


def main() -> None:
    """Fuzz the door."""
    with tempfile.TemporaryDirectory() as folder:
        door = Door(Path(folder))
        campaign.run("inference", __doc__, Draw(), door.judge, lambda drawn: b"".join(data for _, _, data in drawn))


if __name__ == "__main__":
    main()
