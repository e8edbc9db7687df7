"""A picture through each of the other doors of a server; our own unary call with the same bytes is the yardstick."""

from __future__ import annotations

import http.client
import importlib.util
import json
import socket
from collections.abc import Callable

import grpc

import ferserve
from ferserve.bench.target import open_target
from ferserve.config import Config, ServerConfig
from ferserve.inference import service_pb2 as pb
from ferserve.inference import service_pb2_grpc
from ferserve.types import EncodedImage
from ferserve.wire.inference.tensors import to_raw
from tests import builders
from tests.benchmarks.subjects.subject import Call, Room, Subject, Work


def own_call(room: Room, address: str, jpeg: bytes) -> Call:
    """``Classify`` by the blocking client."""
    client = room.stack.enter_context(ferserve.Client(address))
    image = EncodedImage(jpeg)
    return lambda: client.classify(image)


def open_inference(room: Room) -> Work:
    """``ModelInfer`` with the file of a picture."""
    jpeg = builders.jpeg(builders.scene())
    channel = room.stack.enter_context(grpc.insecure_channel(room.server.address))
    stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
    tensor = {"name": "images", "datatype": "BYTES", "shape": [1]}
    request = pb.ModelInferRequest(
        model_name="emotion-lite-int8_frames", inputs=[tensor], raw_input_contents=[to_raw([jpeg])]
    )
    ours = lambda: stub.ModelInfer(request)  # noqa: E731
    boxes = next(output for output in ours().outputs if output.name == "boxes")
    assert list(boxes.shape) == [1, 4]
    return Work(ours, own_call(room, room.server.address, jpeg), pids=room.server.pids)


def web_api(room: Room) -> Work:
    """``POST /v1/classify`` over a connection that is kept."""
    jpeg = builders.jpeg(builders.scene())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = room.stack.enter_context(open_target("", Config(server=ServerConfig(port=0, web_port=port))))
    connection = http.client.HTTPConnection("127.0.0.1", port)
    room.stack.callback(connection.close)
    ours = posting(connection, jpeg)
    assert len(json.loads(ours())["faces"]) == 1
    return Work(ours, own_call(room, server.address, jpeg), pids=server.pids)


def posting(connection: http.client.HTTPConnection, jpeg: bytes) -> Callable[[], bytes]:
    """Posts the picture and reads the answer."""

    def post() -> bytes:
        connection.request("POST", "/v1/classify", jpeg, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body

    return post


SUBJECTS = [Subject("doors", "picture by Open Inference Protocol", open_inference, "our own unary call")]
if importlib.util.find_spec("starlette") and importlib.util.find_spec("uvicorn"):
    SUBJECTS += [Subject("doors", "picture by the API for web apps", web_api, "our own unary call")]
