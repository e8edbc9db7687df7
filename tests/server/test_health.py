"""``grpc.health.v1``, as load balancers and orchestrators use it."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.server import Server
from tests.server.conftest import RawStream, stub_of

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", "ferserve.v1.EmotionService"])
async def test_a_running_server_serves(address: str, service: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == SERVING


async def test_an_unknown_service_is_not_found(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert failure.value.code() is grpc.StatusCode.NOT_FOUND


async def test_watchers_hear_of_a_drain_and_do_not_hold_it_up(engine: Engine) -> None:
    server = Server(engine, ServerConfig(port=0, grace_s=30))
    address = await server.start()
    async with grpc.aio.insecure_channel(address) as channel, stub_of(address) as stub:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        stream = RawStream(stub)
        await stream.open()
        stopping = asyncio.ensure_future(server.stop())
        assert (await watch.read()).status == NOT_SERVING
        await asyncio.wait_for(stopping, 20)  # and not the 30 s of grace
        watch.cancel()
        stream.call.cancel()
