"""What the forms of a request have in common: the same elements give the same answer."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import weakref
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest

from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.inference import service_pb2 as pb
from ferserve.inference import service_pb2_grpc
from ferserve.models.spec import HeadSpec
from ferserve.server import Server
from tests import builders
from tests.busy import held_workers
from tests.server.inference.conftest import Requests, arrays
from tests.serving.fixtures import StartServer
from tests.serving.streams import astronaut_jpeg
from tests.tiny_models import brightness_spec, write_brightness_model

ROWS = (np.arange(2 * 64, dtype=np.float32) / 200).reshape(2, 1, 8, 8)


async def test_typed_and_raw_contents_are_the_same(inference: Any, requests: Requests) -> None:
    raw = requests.tensor(ROWS)
    typed = pb.ModelInferRequest(model_name="brightness", inputs=[raw.inputs[0]])
    typed.inputs[0].contents.fp32_contents.extend(ROWS.ravel().tolist())
    answers = [await inference.ModelInfer(request) for request in (raw, typed)]
    assert answers[0] == answers[1]
    np.testing.assert_allclose(arrays(answers[0])["emotion"][:, 1], ROWS.mean(axis=(1, 2, 3)), atol=1e-6)


async def test_typed_images_and_pixels_are_the_same_as_raw_ones(inference: Any, requests: Requests) -> None:
    raw = requests.images(astronaut_jpeg())
    typed = pb.ModelInferRequest(model_name=raw.model_name, inputs=[raw.inputs[0]])
    typed.inputs[0].contents.bytes_contents.append(astronaut_jpeg())
    first, second = [(await inference.ModelInfer(request)).raw_output_contents for request in (raw, typed)]
    assert first == second
    small = cv2.resize(builders.astronaut(), (96, 96), interpolation=cv2.INTER_AREA)
    raw = requests.pixels(small, pixel_format="bgr", min_score=0.1)
    typed = pb.ModelInferRequest(model_name=raw.model_name, inputs=[raw.inputs[0]], parameters=raw.parameters)
    typed.inputs[0].contents.uint_contents.extend(small.ravel().tolist())
    first, second = [(await inference.ModelInfer(request)).raw_output_contents for request in (raw, typed)]
    assert first == second
    typed.inputs[0].contents.uint_contents[5] = 256
    with pytest.raises(grpc.aio.AioRpcError, match="must be from 0 to 255, got 0 to 256"):
        await inference.ModelInfer(typed)


async def test_pixels_in_either_order_and_in_grey_show_the_face_of_the_file(inference: Any, requests: Requests) -> None:
    bgr = builders.astronaut()
    forms = [
        requests.images(builders.encoded(builders.rgb_picture(), "PNG")),
        requests.pixels(bgr, pixel_format="bgr"),
        requests.pixels(np.ascontiguousarray(bgr[:, :, ::-1])),
        requests.pixels(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)[:, :, None]),
    ]
    first, *others = [arrays(await inference.ModelInfer(form)) for form in forms]
    assert first["face_counts"].tolist() == [1]
    for other in others:
        np.testing.assert_allclose(other["boxes"], first["boxes"], atol=2)
        np.testing.assert_allclose(other["probabilities"], first["probabilities"], atol=0.02)


async def test_several_pictures_are_answered_in_their_order(inference: Any, requests: Requests) -> None:
    pictures = [astronaut_jpeg(), builders.jpeg(builders.empty_scene()), astronaut_jpeg()]
    alone = arrays(await inference.ModelInfer(requests.images(astronaut_jpeg())))
    found = arrays(await inference.ModelInfer(requests.images(*pictures)))
    assert found["face_counts"].tolist() == [1, 0, 1]
    for name in ("boxes", "probabilities", "landmarks", "scores"):
        np.testing.assert_array_equal(found[name], np.concatenate([alone[name]] * 2))
    assert found["labels"] == alone["labels"] * 2
    none = arrays(await inference.ModelInfer(requests.images(pictures[1])))
    assert {name: len(value) for name, value in none.items() if name != "face_counts"} == dict.fromkeys(
        ("boxes", "scores", "landmarks", "track_ids", "sure", "labels", "probabilities"), 0
    )


async def test_what_is_wrong_with_a_file_is_noted(inference: Any, requests: Requests) -> None:
    response = await inference.ModelInfer(requests.images(astronaut_jpeg()[:-2]))
    assert response.parameters["degraded"].string_param == "Premature end of JPEG file"


async def test_a_request_that_takes_too_long_is_given_up(engine: Engine, inference: Any, requests: Requests) -> None:
    with held_workers(engine):
        for request in (requests.tensor(ROWS, timeout=1000), requests.images(astronaut_jpeg(), timeout=1000)):
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await inference.ModelInfer(request)
            assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert "the answer must come within 1000 us, got none" in failure.value.details()
    assert (await inference.ModelInfer(requests.tensor(ROWS, timeout=20_000_000))).outputs


async def test_cancelled_requests_leave_nothing_behind(engine: Engine, inference: Any, requests: Requests) -> None:
    with held_workers(engine):
        stream = inference.ModelStreamInfer()
        await stream.write(requests.images(astronaut_jpeg(), sequence_id=5, sequence_start=True))
        call = inference.ModelInfer(requests.tensor(ROWS))
        await asyncio.sleep(0.2)
        for item in (call, stream):
            item.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert (await inference.ModelInfer(requests.tensor(ROWS))).outputs
    request = pb.ModelStatisticsRequest(name="brightness")
    assert (await inference.ModelStatistics(request)).model_stats[0].inference_stats.fail.count == 1


async def test_a_model_is_loaded_and_unloaded_by_administrators(start_server: StartServer, requests: Requests) -> None:
    """On an engine that other tests use: what is unloaded is loaded again."""
    address = await start_server(admin=True)
    async with grpc.aio.insecure_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert (await stub.ModelReady(pb.ModelReadyRequest(name="other"))).ready
        await stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name="other"))
        try:
            assert not (await stub.ModelReady(pb.ModelReadyRequest(name="other"))).ready
            ready = (await stub.RepositoryIndex(pb.RepositoryIndexRequest(ready=True))).models
            assert "other" not in {model.name for model in ready}
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await stub.ModelInfer(requests.tensor(ROWS, model="other"))
            assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
        finally:
            await stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="other"))
        assert (await stub.ModelInfer(requests.tensor(ROWS, model="other"))).outputs
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.RepositoryModelLoad(
                pb.RepositoryModelLoadRequest(model_name="other", parameters={"config": {"string_param": "{}"}})
            )
        assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_new_version_with_other_heads_is_answered_as_it_is(tmp_path: Path, requests: Requests) -> None:
    """Of tensors, of pictures and of a sequence that goes on, without an error or a trace of the old one."""
    path = write_brightness_model(tmp_path / "changing.onnx", brightness_spec("changing"))
    spec = dataclasses.replace(
        brightness_spec("changing"), heads=(HeadSpec("light", ("low", "high"), "probabilities"),)
    )
    with Engine(EngineConfig(model="changing", model_dir=str(tmp_path), threads=1)) as engine:
        server = Server(engine, ServerConfig(port=0, admin=True))
        async with grpc.aio.insecure_channel(await server.start()) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            start = requests.images(astronaut_jpeg(), model="changing_frames", sequence_id=1, sequence_start=True)
            assert set(arrays(await stub.ModelInfer(start))["labels"]) <= {"dark", "bright"}
            assert [o.name for o in (await stub.ModelInfer(requests.tensor(ROWS, "changing"))).outputs] == ["emotion"]
            former = weakref.ref(engine.load("changing"))
            write_brightness_model(path, spec)
            await stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="changing"))
            assert [o.name for o in (await stub.ModelInfer(requests.tensor(ROWS, "changing"))).outputs] == ["light"]
            (label,) = arrays(await stub.ModelInfer(requests.images(astronaut_jpeg(), model="changing_frames")))[
                "labels"
            ]
            assert label in ("low", "high")
            more = requests.images(astronaut_jpeg(), model="changing_frames", sequence_id=1, sequence_end=True)
            assert set(arrays(await stub.ModelInfer(more))["labels"]) <= {"dark", "bright", "low", "high"}
            del start, more
            gc.collect()
            assert former() is None, "nobody holds the former version"
        await server.stop(0)
