"""What a user of Triton's own client does, as a program: ``python triton_session.py ADDRESS IMAGE``; JSON on stdout.

In a process of its own, because tritonclient registers the same message names as the server.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException

ADDRESS, JPEG = sys.argv[1], Path(sys.argv[2]).read_bytes()
ROWS = (np.arange(3 * 64, dtype=np.float32) / 250).reshape(3, 1, 8, 8)
ROUNDS = 4
FRAME_NS = 33_000_000
OPTIONS = {"smoothing_ms": 100, "detection_interval": 1, "min_detection_interval": 1}


def tensor(rows: np.ndarray = ROWS) -> list[Any]:
    item = triton.InferInput("input", rows.shape, "FP32")
    item.set_data_from_numpy(rows)
    return [item]


def image(data: bytes = JPEG) -> list[Any]:
    item = triton.InferInput("images", [1], "BYTES")
    item.set_data_from_numpy(np.array([data], np.object_))
    return [item]


def refusal(call: Any) -> list[str]:
    try:
        call()
    except InferenceServerException as error:
        return [str(error.status()), error.message()]
    return []


def faces(result: Any) -> dict[str, Any]:
    return {
        "boxes": result.as_numpy("boxes").tolist(),
        "scores": result.as_numpy("scores").tolist(),
        "landmarks": result.as_numpy("landmarks").tolist(),
        "track_ids": result.as_numpy("track_ids").tolist(),
        "labels": [label.decode() for label in result.as_numpy("labels")],
        "probabilities": result.as_numpy("probabilities").tolist(),
    }


def control(client: Any) -> dict[str, Any]:
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": [client.is_model_ready(name) for name in ("brightness", "brightness_frames", "nobody")],
        "server": client.get_server_metadata(as_json=True),
        "metadata": client.get_model_metadata("brightness", as_json=True),
        "config": client.get_model_config("brightness", as_json=True)["config"],
        "index": client.get_model_repository_index(as_json=True)["models"],
    }


def infer(client: Any) -> dict[str, Any]:
    outputs = [triton.InferRequestedOutput("emotion"), triton.InferRequestedOutput("emotion", class_count=1)]
    plain = client.infer(
        "brightness", tensor(), request_id="seven", outputs=outputs[:1], priority=1, timeout=20_000_000
    )
    top = client.infer("brightness", tensor(), outputs=outputs[1:])
    callbacks: queue.Queue[Any] = queue.Queue()
    client.async_infer("brightness", tensor(), lambda result, error: callbacks.put((result, error)))
    result, error = callbacks.get(timeout=20)
    return {
        "id": plain.get_response().id,
        "emotion": plain.as_numpy("emotion").tolist(),
        "classes": [name.decode() for name in top.as_numpy("emotion").ravel()],
        "callback": [result.as_numpy("emotion").tolist(), error],
        "frame": faces(client.infer("brightness_frames", image())),
    }


def stream(client: Any) -> list[Any]:
    """A sequence with a bad picture in the middle."""
    answers: queue.Queue[Any] = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for number in range(ROUNDS):
        client.async_stream_infer(
            "brightness_frames",
            image(b"no picture" if number == 2 else JPEG),
            request_id=str(number),
            sequence_id=42,
            sequence_start=number == 0,
            sequence_end=number == ROUNDS - 1,
            enable_empty_final_response=True,
            parameters={"capture_time_ns": (number + 1) * FRAME_NS, **(OPTIONS if number == 0 else {})},
        )
    client.stop_stream()
    return [answer(*answers.get(timeout=20)) for _ in range(ROUNDS)]


def answer(result: Any, error: Any) -> Any:
    if error is not None:
        return error.message()
    response = result.get_response()
    return [response.id, response.parameters["triton_final_response"].bool_param, faces(result)]


def stream_with_status(client: Any) -> list[str]:
    """A client that asked for a status instead of an error in a message."""
    answers: queue.Queue[Any] = queue.Queue()
    client.start_stream(lambda result, error: answers.put(error), headers={"triton_grpc_error": "true"})
    client.async_stream_infer("nobody", image())
    error = answers.get(timeout=20)
    client.stop_stream()
    return [str(error.status()), error.message()]


def errors(client: Any) -> dict[str, list[str]]:
    return {
        "model": refusal(partial(client.infer, "nobody", tensor())),
        "version": refusal(partial(client.infer, "brightness", tensor(), model_version="9")),
        "shape": refusal(partial(client.infer, "brightness", tensor(ROWS[:, :, :4]))),
        "shared memory": refusal(partial(client.register_system_shared_memory, "region", "/key", 64)),
        "trace": refusal(client.get_trace_settings),
        "log": refusal(client.get_log_settings),
        "admin": refusal(partial(client.load_model, "brightness")),
    }


async def with_asyncio() -> dict[str, Any]:
    async def frames() -> Any:
        for number in range(ROUNDS):
            yield {
                "model_name": "brightness_frames",
                "inputs": image(),
                "request_id": str(number),
                "sequence_id": "a name",
                "sequence_start": number == 0,
                "sequence_end": number == ROUNDS - 1,
            }

    async with triton_aio.InferenceServerClient(ADDRESS) as client:
        many = await asyncio.gather(*(client.infer("brightness", tensor()) for _ in range(20)))
        answers = [answer(*item) async for item in client.stream_infer(frames())]
    return {"many": [result.as_numpy("emotion").tolist() for result in many], "stream": answers}


def fields() -> dict[str, list[int]]:
    """Number and type of every field that the client knows."""
    found: dict[str, list[int]] = {}

    def walk(message: Any) -> None:
        found.update({field.full_name: [field.number, field.type] for field in message.fields})
        for inner in message.nested_types:
            walk(inner)

    for module in (service_pb2, model_config_pb2):
        for message in module.DESCRIPTOR.message_types_by_name.values():
            walk(message)
    return found


def main() -> None:
    with triton.InferenceServerClient(ADDRESS) as client:
        said = {
            "control": control(client),
            "infer": infer(client),
            "stream": stream(client),
            "stream with status": stream_with_status(client),
            "errors": errors(client),
            "asyncio": asyncio.run(with_asyncio()),
            "statistics": client.get_inference_statistics(as_json=True)["model_stats"],
            "fields": fields(),
        }
    json.dump(said, sys.stdout)


main()
