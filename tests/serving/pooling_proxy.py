"""A proxy that carries the calls of all clients over one connection to the server, as proxies of HTTP/2 do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from ferserve.wire.metadata import as_dict

_HOPS = ("user-agent", "grpc-")


class _Forwarder(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, upstream: grpc.aio.Channel) -> None:
        self._upstream = upstream
        self.calls = 0
        self.metadata: dict[str, str] = {}
        """Of the last call."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        metadata = tuple((k, v) for k, v in details.invocation_metadata or () if not k.startswith(_HOPS))
        method = details.method

        async def forward(requests: AsyncIterator[bytes], context: Any) -> None:
            self.calls += 1
            self.metadata = as_dict(metadata)
            call = self._upstream.stream_stream(method)(metadata=metadata)
            sender = asyncio.ensure_future(_send(requests, call))
            try:
                await context.send_initial_metadata(tuple(await call.initial_metadata()))
                while (message := await call.read()) is not grpc.aio.EOF:
                    await context.write(message)
                code, text = await call.code(), await call.details()
                context.set_trailing_metadata(tuple(await call.trailing_metadata()))
                context.set_code(code)
                context.set_details(text)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "", tuple(error.trailing_metadata()))
            finally:
                sender.cancel()
                call.cancel()

        return grpc.stream_stream_rpc_method_handler(forward)


async def _send(requests: AsyncIterator[bytes], call: Any) -> None:
    try:
        async for message in requests:
            await call.write(message)
        await call.done_writing()
    except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
        pass  # the call has ended, and its reader tells how


@asynccontextmanager
async def pooling_proxy(target: str) -> AsyncIterator[tuple[str, _Forwarder]]:
    """Its address, and what counts its calls."""
    async with grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as upstream:
        server = grpc.aio.server()
        forwarder = _Forwarder(upstream)
        server.add_generic_rpc_handlers((forwarder,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}", forwarder
        finally:
            await server.stop(None)
