"""A further protocol on the port: one service in the list."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.errors import OverloadedError
from ferserve.server import Server
from ferserve.server.calls import ActiveCalls
from ferserve.server.emotion.servicer import EmotionServicer
from ferserve.server.grpc_server import GrpcServer
from ferserve.server.health import Health
from ferserve.v1 import emotion_pb2 as pb
from tests.counting import Counting
from tests.serving.streams import stub_of


class Echo:
    """Answers with the request, and refuses an empty one."""

    name = "test.Echo"

    def __init__(self) -> None:
        self._calls = ActiveCalls()
        self.drained: list[float] = []

    def register(self, server: grpc.aio.Server) -> None:
        handlers = {"Say": grpc.unary_unary_rpc_method_handler(self._say, bytes, bytes)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(self.name, handlers),))

    async def drain(self, grace_s: float) -> None:
        self.drained.append(grace_s)
        await self._calls.drain(grace_s)

    async def _say(self, request: bytes, context: Any) -> bytes:
        self._calls.track()
        if not request:
            raise OverloadedError("nothing to say")
        return request


async def test_a_second_service_is_served_checked_counted_and_drained_beside_the_first(engine: Engine) -> None:
    config = ServerConfig(port=0, grace_s=3, max_message_bytes=1 << 20)
    metrics, echo = Counting(), Echo()
    services = [EmotionServicer(engine, config, metrics), echo]
    server = GrpcServer(services, config, Health([service.name for service in services]), metrics)
    address = await server.start()
    async with grpc.aio.insecure_channel(address) as channel, stub_of(address) as stub:
        say = channel.unary_unary("/test.Echo/Say")
        assert await say(b"hello") == b"hello"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await say(b"")
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        health = health_pb2_grpc.HealthStub(channel)
        for service in services:
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service.name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert (await stub.ListModels(pb.ListModelsRequest())).models
    await server.stop()
    assert (metrics.refused, echo.drained) == (["overloaded"], [3])


async def test_methods_that_nobody_calls_cost_a_call_nothing(address: str) -> None:
    """Each method that is registered by itself would be one more task that every call waits for."""
    async with stub_of(address) as stub:
        await stub.ListModels(pb.ListModelsRequest())
        waiting = [task for task in asyncio.all_tasks() if "_request_" in repr(task)]
        assert len(waiting) == 1, waiting


class Beside:
    """A server on a port of its own, which only notes what happens to it."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def start(self) -> str:
        self.events.append("start")
        return "nowhere"

    async def stop(self, grace_s: float | None = None) -> None:
        self.events.append("stop")


async def test_a_server_beside_the_port_starts_and_stops_with_it(engine: Engine) -> None:
    beside = Beside()
    server = Server(engine, ServerConfig(port=0), beside=[beside])
    await server.start()
    assert beside.events == ["start"]
    await server.stop(0)
    assert set(beside.events) == {"start", "stop"}
