"""The service config that every gRPC library takes: which calls are tried again, and for which statuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from tests.other_languages.conftest import EXAMPLES
from tests.serving.away import Away
from tests.serving.scripted import scripted_server

CONFIG = (EXAMPLES / "service-config.json").read_text("utf-8")


@asynccontextmanager
async def stub_of(address: str) -> AsyncIterator[emotion_pb2_grpc.EmotionServiceStub]:
    options = [("grpc.service_config", CONFIG)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield emotion_pb2_grpc.EmotionServiceStub(channel)


async def test_a_call_is_tried_again_while_the_server_is_away() -> None:
    async with scripted_server(servicer := Away()) as address, stub_of(address) as stub:
        response = await stub.Classify(pb.ClassifyRequest())
    assert response.result.HasField("faces")
    assert servicer.calls == 3


@pytest.mark.parametrize("status", [code for code in grpc.StatusCode if code.value[0] not in (0, 14)])
async def test_no_other_status_is_tried_again(status: grpc.StatusCode) -> None:
    async with scripted_server(servicer := Away(status)) as address, stub_of(address) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match="not now"):
            await stub.Classify(pb.ClassifyRequest())
    assert servicer.calls == 1


async def test_streams_are_not_tried_again() -> None:
    async with scripted_server(servicer := Away()) as address, stub_of(address) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match="not now"):
            await asyncio.wait_for(stub.ClassifyStream().read(), 30)
    assert servicer.calls == 1


def test_it_names_every_unary_call_of_the_service_and_no_stream() -> None:
    (policy,) = json.loads(CONFIG)["methodConfig"]
    service = pb.DESCRIPTOR.services_by_name["EmotionService"]
    unary = {method.name for method in service.methods if not (method.client_streaming or method.server_streaming)}
    assert {name["method"] for name in policy["name"]} == unary
    assert {name["service"] for name in policy["name"]} == {service.full_name}
