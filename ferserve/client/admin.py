"""Loads and unloads the models of a running server."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from ferserve.client.channel import open_channel
from ferserve.client.servers import targets_of
from ferserve.client.token import settled_token
from ferserve.config import NO_TLS, Tls
from ferserve.errors import ConfigError
from ferserve.types import ModelDescription
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.metadata import authorization
from ferserve.wire.models import model_from_proto
from ferserve.wire.status import error_from_rpc

TIMEOUT_S = 600.0
"""Some engines are built for minutes."""


def load_model(
    target: str, name: str, *, tls: Tls = NO_TLS, token: str | None = None, timeout_s: float = TIMEOUT_S
) -> list[ModelDescription]:
    """Let the server ``target`` read the files of a model again; returns the versions that it serves now.

    ``NAME`` stands for all versions, ``NAME@VERSION`` for one; ``token`` must be an
    administrator's, if the server asks for tokens (None for ``$FERSERVE_TOKEN``). Raises :class:`ModelNotFoundError`,
    :class:`ModelLoadError` if a file cannot be served (nothing changed then), :class:`ConfigError` for a server whose
    ``server.admin`` is off, and the errors of a call.
    """
    answer = _call(target, "LoadModel", pb.LoadModelRequest(name=name), tls, token, timeout_s)
    return [model_from_proto(model) for model in answer.models]


def unload_model(
    target: str, name: str, *, tls: Tls = NO_TLS, token: str | None = None, timeout_s: float = TIMEOUT_S
) -> None:
    """Let the server ``target`` take a model from the callers to come; raises as :func:`load_model` does."""
    _call(target, "UnloadModel", pb.UnloadModelRequest(name=name), tls, token, timeout_s)


def _call(target: str, method: str, request: Any, tls: Tls, token: str | None, timeout_s: float) -> Any:
    if len(targets_of(target)) > 1:
        raise ConfigError(f"target must be one server, got {target!r}; call each by itself")
    shown = authorization(settled_token(token, target, tls))

    async def call() -> Any:
        async with open_channel(target, tls) as channel:
            stub = emotion_pb2_grpc.AdminServiceStub(channel)  # type: ignore[no-untyped-call]
            return await getattr(stub, method)(request, timeout=timeout_s, metadata=shown)

    try:
        return asyncio.run(call())
    except grpc.aio.AioRpcError as rpc:
        if rpc.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise ConfigError(
                f"server.admin must be true on the server to load and unload models, got false on {target}; "
                "set it there (FERSERVE_SERVER_ADMIN=true)"
            ) from None
        raise error_from_rpc(rpc, target, timeout_s) from None
