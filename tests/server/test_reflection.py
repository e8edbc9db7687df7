"""Tools that know nothing of the protocol: reflection, and channelz for administrators."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2 as rpb

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.server import Server
from tests.serving.fixtures import StartServer
from tests.serving.streams import astronaut_jpeg

EMOTION = "ferserve.v1.EmotionService"
INFERENCE = "inference.GRPCInferenceService"
HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1alpha.ServerReflection"
CHANNELZ = "grpc.channelz.v1.Channelz"
VERSIONS = ["v1", "v1alpha"]


class Tool:
    """What a generic client does: asks for files, and builds messages from them in a pool of its own."""

    def __init__(self, channel: grpc.aio.Channel, version: str = "v1alpha") -> None:
        self.channel = channel
        self.call = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            rpb.ServerReflectionRequest.SerializeToString,
            rpb.ServerReflectionResponse.FromString,
        )()
        self.pool = descriptor_pool.DescriptorPool()

    async def ask(self, **question: Any) -> rpb.ServerReflectionResponse:
        await self.call.write(rpb.ServerReflectionRequest(**question))
        return await self.call.read()

    async def services(self) -> list[str]:
        answer = await self.ask(list_services="*")
        return [service.name for service in answer.list_services_response.service]

    async def describe(self, service: str) -> Any:
        answer = await self.ask(file_containing_symbol=service)
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(file)
            for file in answer.file_descriptor_response.file_descriptor_proto
        ]
        for file in reversed(files):  # what others import comes last
            self.pool.Add(file)
        return self.pool.FindServiceByName(service)

    async def invoke(self, service: str, method: str, **fields: Any) -> Any:
        described = (await self.describe(service)).methods_by_name[method]
        request = message_factory.GetMessageClass(described.input_type)(**fields)
        answer = message_factory.GetMessageClass(described.output_type)
        call = self.channel.unary_unary(f"/{service}/{method}", type(request).SerializeToString, answer.FromString)
        return await call(request)


@asynccontextmanager
async def tool_for(address: str, version: str = "v1alpha") -> AsyncIterator[Tool]:
    async with grpc.aio.insecure_channel(address) as channel:
        tool = Tool(channel, version)
        yield tool
        tool.call.cancel()


@pytest.mark.parametrize("version", VERSIONS)
async def test_all_services_are_listed(address: str, version: str) -> None:
    async with tool_for(address, version) as tool:
        services = await tool.services()
        assert {EMOTION, INFERENCE, HEALTH, REFLECTION} <= set(services)
        assert CHANNELZ not in services
        for service in services:
            assert (await tool.describe(service)).full_name == service


async def test_a_tool_that_knows_no_proto_can_call(address: str) -> None:
    async with tool_for(address) as tool:
        answer = await tool.invoke(EMOTION, "Classify", frame={"encoded": astronaut_jpeg()})
        assert len(answer.result.faces.faces) == 1
        metadata = await tool.invoke(INFERENCE, "ModelMetadata", name="brightness")
        assert [tensor.datatype for tensor in metadata.inputs] == ["FP32"]


async def test_questions_without_an_answer_keep_the_call_open(address: str) -> None:
    async with tool_for(address) as tool:
        for question in ({"file_containing_symbol": "no.Such"}, {"file_by_filename": "no.proto"}, {}):
            assert (await tool.ask(**question)).error_response.error_code
        assert EMOTION in await tool.services()


async def test_a_tool_that_stays_keeps_no_server_from_stopping(engine: Engine) -> None:
    server = Server(engine, ServerConfig(port=0, grace_s=30))
    async with tool_for(await server.start()) as tool:
        await tool.services()
        await asyncio.wait_for(server.stop(), 10)


async def test_administrators_see_what_grpc_counts(start_server: StartServer) -> None:
    address = await start_server(admin=True)
    async with tool_for(address) as tool:
        assert CHANNELZ in await tool.services()
        stub = channelz_pb2_grpc.ChannelzStub(tool.channel)
        servers = (await stub.GetServers(channelz_pb2.GetServersRequest())).server
        assert any(server.data.calls_started and server.listen_socket for server in servers)
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await stub.GetSocket(channelz_pb2.GetSocketRequest(socket_id=2**40))
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


async def test_others_get_no_channelz(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channelz_pb2_grpc.ChannelzStub(channel).GetServers(channelz_pb2.GetServersRequest())
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_without_the_package_a_warning_says_what_to_install(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "grpc_channelz.v1", None)
    async with tool_for(await start_server(admin=True)) as tool:
        assert CHANNELZ not in await tool.services()
    assert "pip install ferserve[admin]" in caplog.text
