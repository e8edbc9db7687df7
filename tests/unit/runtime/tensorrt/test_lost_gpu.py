"""A GPU that fails while a server runs: which calls fail, what is tried, and what health says."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.errors import DeviceError
from ferserve.runtime import open_session
from ferserve.runtime.base import trial_feeds
from ferserve.runtime.reopening import ReopeningSession, lost_devices
from ferserve.server import Server
from ferserve.v1 import emotion_pb2 as pb
from tests import builders
from tests.serving.streams import stub_of
from tests.tiny_models import write_brightness_model
from tests.unit.runtime.tensorrt.machine import Machine

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ILLEGAL_ADDRESS, NO_DEVICE = 700, 100
CROP = builders.jpeg(np.full((48, 48, 3), 250, np.uint8))


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Any, Any]]:
    """A stub, and a watch of health, of a server whose model runs on the fake GPU."""
    write_brightness_model(folder / "brightness.onnx")
    config = EngineConfig(
        model="brightness", model_dir=str(folder), device="tensorrt-native", cache_dir=str(folder / "cache"), threads=1
    )
    with Engine(config) as engine:
        server = Server(engine, ServerConfig(port=0))
        address = await server.start()
        async with stub_of(address) as stub, grpc.aio.insecure_channel(address) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == SERVING
            yield stub, watch
            watch.cancel()
            await server.stop(0)


async def classify(stub: Any) -> str:
    """``bright``, or the words of the status UNAVAILABLE."""
    call = stub.Classify(pb.ClassifyRequest(frame=pb.Frame(crops=pb.Crops(images=[pb.Image(encoded=CROP)]))))
    if await call.code() is grpc.StatusCode.UNAVAILABLE:
        return str(await call.details())
    return str((await call).result.faces.faces[0].heads[0].label)


async def test_one_failure_costs_one_call(machine: Machine, tmp_path: Path) -> None:
    async with served(tmp_path) as (stub, _):
        for _ in range(3):  # with a success between them, failures never add up
            machine.broken["cudaStreamSynchronize"] = ILLEGAL_ADDRESS
            assert (await classify(stub)).startswith("cannot run on the GPU: cudaStreamSynchronize: an illegal memory")
            machine.broken.clear()
            assert await classify(stub) == "bright"


async def test_a_gpu_that_comes_back_is_opened_again(
    machine: Machine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path) as (stub, _):
        machine.broken["cudaStreamSynchronize"] = ILLEGAL_ADDRESS
        assert "illegal memory access" in await classify(stub)
        assert "illegal memory access" in await classify(stub)
        machine.broken.clear()
        assert await classify(stub) == "bright"
    assert machine.builds == 1  # its engine came from the cache
    assert "failed 2 times in a row; opening the model there again" in caplog.text


@pytest.mark.parametrize("call", ["cudaGetDeviceCount", "cudaStreamSynchronize"])
async def test_a_gpu_that_is_gone_ends_health_and_fails_calls_at_once(
    machine: Machine, tmp_path: Path, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    async with served(tmp_path) as (stub, watch):
        machine.broken |= {"cudaStreamSynchronize": ILLEGAL_ADDRESS, call: NO_DEVICE}
        for _ in range(2):
            assert "cannot run on the GPU: cudaStreamSynchronize" in await classify(stub)
        for _ in range(2):
            answer = await classify(stub)
            assert answer.startswith("cannot run on the GPU: it is lost (")
            assert "no CUDA-capable device is detected" in answer
        assert (await watch.read()).status == NOT_SERVING
        machine.broken.clear()
        assert "it is lost" in await classify(stub)  # the process has to be started again
    assert caplog.text.count("health says NOT_SERVING") == 1


async def test_a_gpu_that_fails_again_after_it_was_opened_again_is_lost(machine: Machine, tmp_path: Path) -> None:
    """A trial row works, real rows do not: without an end to it, this would go on for ever."""
    async with served(tmp_path) as (stub, watch):
        machine.broken["cudaStreamSynchronize"] = ILLEGAL_ADDRESS
        for number in range(4):
            machine.spared["cudaStreamSynchronize"] = 2 if number == 2 else 0  # the trial, and its recording
            assert "an illegal memory access" in await classify(stub)
        assert "it is lost" in await classify(stub)
        assert (await watch.read()).status == NOT_SERVING


def test_the_processor_never_takes_over_unsaid(machine: Machine, tmp_path: Path) -> None:
    path = write_brightness_model(tmp_path / "m.onnx")
    on_gpu, on_cpu = open_session(path, "tensorrt-native", tmp_path), open_session(path, "cpu")
    session = ReopeningSession(on_gpu, lambda: on_cpu)  # as `auto` opens it without the GPU
    feeds = trial_feeds(session.inputs)
    machine.broken["cudaStreamSynchronize"] = ILLEGAL_ADDRESS
    for words in ("illegal memory access", "illegal memory access", "only ONNX Runtime .* answers"):
        with pytest.raises(DeviceError, match=words):
            session.run(feeds)
    assert session.lost in lost_devices()
    lost = session.lost
    del session, on_gpu  # as if the model was loaded again, elsewhere
    gc.collect()
    assert lost not in lost_devices()
