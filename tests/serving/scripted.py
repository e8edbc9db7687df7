"""A gRPC server that does what a test says, for what a real one cannot be made to do."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import grpc

from ferserve.v1 import emotion_pb2_grpc


@contextlib.asynccontextmanager
async def scripted_server(
    servicer: emotion_pb2_grpc.EmotionServiceServicer, max_message_bytes: int = 4_194_304
) -> AsyncIterator[str]:
    """The address of a server of ``servicer``."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", max_message_bytes)])
    emotion_pb2_grpc.add_EmotionServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
