"""Requests that are wrong: the right status, a sentence, and the rest goes on."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from ferserve.errors import KIND_KEY
from ferserve.inference import service_pb2 as pb
from ferserve.wire.metadata import as_dict
from tests.server.inference.conftest import Requests, arrays
from tests.serving.streams import astronaut_jpeg

ROW = np.full((1, 1, 8, 8), 0.25, np.float32)
R = Requests()


def _changed(request: pb.ModelInferRequest, change: Callable[[pb.ModelInferRequest], Any]) -> pb.ModelInferRequest:
    change(request)
    return request


def _raw(*parts: bytes, shape: tuple[int, ...] = (1,), name: str = "images") -> pb.ModelInferRequest:
    tensor = {"name": name, "datatype": "BYTES", "shape": shape}
    return pb.ModelInferRequest(model_name="brightness_frames", inputs=[tensor], raw_input_contents=parts)


def _tensor(**fields: Any) -> pb.ModelInferRequest:
    tensor = {"name": "input", "datatype": "FP32", "shape": ROW.shape, **fields}
    return pb.ModelInferRequest(model_name="brightness", inputs=[tensor], raw_input_contents=[ROW.tobytes()])


def _typed(**contents: Any) -> pb.ModelInferRequest:
    tensor = {"name": "input", "datatype": "FP32", "shape": ROW.shape, "contents": contents}
    return pb.ModelInferRequest(model_name="brightness", inputs=[tensor])


JPEG = astronaut_jpeg()
INVALID: dict[str, tuple[Callable[[], pb.ModelInferRequest], str]] = {
    "no input": (lambda: pb.ModelInferRequest(model_name="brightness"), "inputs must have 'input', got none"),
    "another name": (lambda: _tensor(name="Input"), "inputs must each be one of 'input', once, got ['Input']"),
    "twice": (
        lambda: _changed(_tensor(), lambda r: r.inputs.append(r.inputs[0])),
        "inputs must each be one of 'input', once",
    ),
    "another datatype": (lambda: _tensor(datatype="FP64"), "datatype of 'input' must be FP32, got 'FP64'"),
    "a datatype that is none": (lambda: _tensor(datatype="x" * 1000), "datatype of 'input' must be FP32, got 'xxx"),
    "another shape": (lambda: _tensor(shape=[1, 1, 8, 9]), "shape of 'input' must be [-1, 1, 8, 8], got [1, 1, 8, 9]"),
    "no axis of rows": (lambda: _tensor(shape=[1, 8, 8]), "got [1, 8, 8]"),
    "a negative axis": (lambda: _tensor(shape=[-1, 1, 8, 8]), "got [-1, 1, 8, 8]"),
    "a thousand axes": (lambda: _tensor(shape=[2**62] * 1000), "shape of 'input' must be"),
    "no rows": (lambda: R.tensor(ROW[:0]), "input must have from 1 to 64 rows, got none"),
    "too many rows": (lambda: R.tensor(np.repeat(ROW, 65, 0)), "elements of 'input' must be at most 4096, got 4160"),
    "more rows than exist": (lambda: _tensor(shape=[2**40, 1, 8, 8]), "elements of 'input' must be at most 4096"),
    "too few bytes": (
        lambda: _changed(_tensor(), lambda r: r.raw_input_contents.__setitem__(0, bytes(255))),
        "must have 256 bytes for FP32 [1, 1, 8, 8], got 255",
    ),
    "raw contents without an input": (
        lambda: _changed(_tensor(), lambda r: r.raw_input_contents.append(b"")),
        "raw_input_contents must be one per input (1) or none, got 2",
    ),
    "no contents": (lambda: _changed(_tensor(), lambda r: r.ClearField("raw_input_contents")), "must be 64 in fp32"),
    "too few contents": (lambda: _typed(fp32_contents=[0.0] * 63), "must be 64 in fp32_contents or in raw"),
    "contents of another type": (lambda: _typed(int_contents=[0] * 64), "elements of FP32 must be in fp32_contents"),
    "contents twice": (
        lambda: _tensor(contents={"fp32_contents": [0.0] * 64}),
        "must be in contents or in raw_input_contents, got both",
    ),
    "another output": (
        lambda: _changed(_tensor(), lambda r: r.outputs.add(name="logits")),
        "outputs must be some of 'emotion', got 'logits'",
    ),
    "an unknown parameter": (lambda: R.tensor(ROW, smoothing_ms=5), "parameters must be some of"),
    "a parameter without a value": (
        lambda: _changed(_tensor(), lambda r: r.parameters["timeout"].SetInParent()),
        "timeout must have a value, got none",
    ),
    "a timeout that is text": (lambda: R.tensor(ROW, timeout="soon"), "timeout must be an integer from 0 to"),
    "a priority that is none": (lambda: R.tensor(ROW, priority=9), "priority must be 1 (high), 2 (normal) or 3"),
    "a sequence of tensors": (lambda: R.tensor(ROW, sequence_id=1, sequence_start=True), "sequence_id must be left"),
    "no picture": (lambda: pb.ModelInferRequest(model_name="brightness_frames"), "inputs must be either 'images' or"),
    "both kinds of pictures": (
        lambda: _changed(R.images(JPEG), lambda r: r.inputs.add(name="pixels", datatype="UINT8", shape=[0, 0, 3])),
        "raw_input_contents must be one per input",
    ),
    "no picture in the list": (lambda: R.images(), "images must hold at least one image, got none"),
    "too many pictures": (lambda: R.images(*[b""] * 65), "elements of 'images' must be at most 64, got 65"),
    "pictures that end within a length": (lambda: _raw(b"\1\0"), "2 bytes that end within element 0"),
    "a length that lies": (lambda: _raw(struct.pack("<I", 2**32 - 1) + b"x"), "5 bytes that end within element 0"),
    "a second length that lies": (
        lambda: _raw(struct.pack("<I", 1) + b"x" + struct.pack("<I", 9), shape=(2,)),
        "9 bytes that end within element 1",
    ),
    "bytes behind the last picture": (lambda: _raw(struct.pack("<I", 1) + b"xyz"), "must end after 1 elements, got 2"),
    "a picture that is none": (lambda: R.images(b"no picture"), "encoded must be a known image format"),
    "one of several that is none": (lambda: R.images(JPEG, b"no picture"), "images[1]: encoded must be a known image"),
    "an empty picture": (lambda: R.images(b""), "encoded must"),
    "pixels of two channels": (
        lambda: R.pixels(np.zeros((4, 4, 2), np.uint8)),
        "shape of 'pixels' must be [H, W, 1] or [H, W, 3], got [4, 4, 2]",
    ),
    "pixels without height": (lambda: R.pixels(np.zeros((0, 4, 3), np.uint8)), "must be"),
    "an order of colours that is none": (
        lambda: R.pixels(np.zeros((4, 4, 3), np.uint8), pixel_format="hsv"),
        "pixel_format must be one of rgb, bgr, got 'hsv'",
    ),
    "classes of no probabilities": (
        lambda: _changed(
            R.images(JPEG), lambda r: r.outputs.add(name="boxes", parameters={"classification": {"int64_param": 1}})
        ),
        "classification must be left out for 'boxes'",
    ),
    "an option out of range": (lambda: R.images(JPEG, min_score=1.5), "min_score must be from 0 to 1, got 1.5"),
    "an option of another type": (lambda: R.images(JPEG, max_faces="all"), "max_faces must be a whole number"),
    "an option of streams": (lambda: R.images(JPEG, smoothing_ms=100), "smoothing_ms must come with sequence_start"),
    "a time that is text": (lambda: R.images(JPEG, capture_time_ns="noon"), "capture_time_ns must be an integer"),
}
OTHERS: dict[str, tuple[Callable[[], pb.ModelInferRequest], str, str]] = {
    "no model": (lambda: R.tensor(ROW, model=""), "NOT_FOUND", "got an empty one"),
    "no name before the suffix": (lambda: R.tensor(ROW, model="_frames"), "NOT_FOUND", "got an empty one"),
    "an unknown model": (lambda: R.tensor(ROW, model="brightnes"), "NOT_FOUND", "did you mean 'brightness'?"),
    "an unknown version": (
        lambda: _changed(_tensor(), lambda r: setattr(r, "model_version", "7")),
        "NOT_FOUND",
        "version of 'brightness' must be one of 1",
    ),
    "shared memory": (
        lambda: _tensor(parameters={"shared_memory_region": {"string_param": "x"}}),
        "UNIMPLEMENTED",
        "cannot read the input 'input' from shared memory",
    ),
    "shared memory for an output": (
        lambda: _changed(
            _tensor(),
            lambda r: r.outputs.add(name="emotion", parameters={"shared_memory_region": {"string_param": "x"}}),
        ),
        "UNIMPLEMENTED",
        "cannot write the output 'emotion' to shared memory",
    ),
}
BAD = {name: (make, "INVALID_ARGUMENT", words) for name, (make, words) in INVALID.items()} | OTHERS


async def test_each_is_refused_in_its_call_and_in_a_stream_where_the_next_is_answered(inference: Any) -> None:
    """One server and one stream for all of them: whatever breaks, breaks it for those that follow."""
    stream = inference.ModelStreamInfer()
    for name, (make, status, words) in BAD.items():
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await inference.ModelInfer(make(), timeout=20)
        assert failure.value.code() is grpc.StatusCode[status], name
        assert words in failure.value.details(), name
        request = make()
        request.id = name
        await stream.write(request)
        answer = await stream.read()
        assert answer.error_message == failure.value.details().partition(" (request ")[0], name
        assert answer.infer_response.id == name
        kind = as_dict(failure.value.trailing_metadata())[KIND_KEY]
        assert answer.infer_response.parameters[KIND_KEY].string_param == kind
    await stream.write(R.tensor(ROW, model="other"))
    answer = await stream.read()
    assert arrays(answer.infer_response)["emotion"] == pytest.approx(np.array([[0.75, 0.25]]))
    await stream.done_writing()
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() is grpc.StatusCode.OK


async def test_bytes_that_are_no_message_end_their_call_alone(address: str, inference: Any) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        for method in ("ModelInfer", "ModelConfig", "RepositoryIndex"):
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await channel.unary_unary(f"/inference.GRPCInferenceService/{method}")(b"\xff\xff\xff")
            assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (await inference.ServerReady(pb.ServerReadyRequest())).ready


async def test_a_repository_that_is_not_there(inference: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await inference.RepositoryIndex(pb.RepositoryIndexRequest(repository_name="/models"))
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "repository_name must be empty, got '/models'" in failure.value.details()
