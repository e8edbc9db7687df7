"""The standard reflection service: tools such as grpcurl ask it for the services of the port and their messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Sequence
from functools import partial
from typing import Any, Final

import grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.reflection import aio

from ferserve.server.calls import ActiveCalls

_V1: Final = "grpc.reflection.v1.ServerReflection"
"""Newer tools ask for this name first; its messages are the same on the wire."""


class Reflection:
    """Answers for the services that it is given, and itself. A :class:`ferserve.server.services.Service`."""

    name: str = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name

    def __init__(self, service_names: Sequence[str]) -> None:
        self._servicer = aio.ReflectionServicer((*service_names, self.name))
        self._calls = ActiveCalls()

    def register(self, server: grpc.aio.Server) -> None:
        """See :meth:`ferserve.server.services.Service.register`."""
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(self, server)
        handler = grpc.stream_stream_rpc_method_handler(
            self.ServerReflectionInfo,
            reflection_pb2.ServerReflectionRequest.FromString,
            reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_V1, {"ServerReflectionInfo": handler}),))

    async def drain(self, grace_s: float) -> None:
        """End all calls: a tool would keep its own open for ever. See :class:`ferserve.server.services.Service`."""
        await self._calls.drain(grace_s)

    async def ServerReflectionInfo(self, requests: AsyncIterable[Any], context: Any) -> None:
        """Answer one question after the other."""
        self._calls.track(partial(_cancel, asyncio.current_task()))
        async for answer in self._servicer.ServerReflectionInfo(requests, context):
            await context.write(answer)


def _cancel(call: asyncio.Task[Any] | None) -> None:
    assert call is not None, "handlers run in tasks"
    call.cancel()
