"""The identity of each call, in every log line and error that it causes, and the access log."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from ferserve.server.logs import ACCESS_LOGGER, REQUEST_ID, peer_name
from ferserve.server.tracing import CALL_TRACE
from ferserve.wire.metadata import REQUEST_ID_KEY

if TYPE_CHECKING:
    from ferserve.server.telemetry.traces import Tracing

access = logging.getLogger(ACCESS_LOGGER)

_WELLFORMED = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}")
_BYTES = 6
_STATUS = {code.value[0]: code.name for code in grpc.StatusCode}


class RequestInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Names each call: as its client or a proxy does in ``x-request-id``, otherwise at random.

    It stands before :class:`ferserve.server.interceptors.ErrorInterceptor`, whose handlers take streams.
    """

    def __init__(self, tracing: Tracing | None = None) -> None:
        self._tracing = tracing

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Let the handler run under a request id."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        name, make = (
            ("stream_stream", grpc.stream_stream_rpc_method_handler)
            if handler.response_streaming
            else ("stream_unary", grpc.stream_unary_rpc_method_handler)
        )
        call = partial(self._call, getattr(handler, name), handler_call_details)
        return make(call, handler.request_deserializer, handler.response_serializer)

    async def _call(
        self,
        behavior: Callable[[Any, Any], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
        request: Any,
        context: Any,
    ) -> Any:
        identity = _id_of(details)
        REQUEST_ID.set(identity)
        metadata = details.invocation_metadata or ()
        trace = None if self._tracing is None else self._tracing.begin(details.method, metadata, identity)
        if trace is None and not access.isEnabledFor(logging.INFO):
            return await behavior(request, context)
        CALL_TRACE.set(trace)
        started, status = time.monotonic(), ""
        try:
            return await behavior(request, context)
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        finally:
            status = status or _status_of(context)
            _log_access(details.method, context, status, time.monotonic() - started)
            if trace is not None:
                trace.end(status)


def _id_of(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == REQUEST_ID_KEY and _WELLFORMED.fullmatch(str(value)):
            return str(value)
    return secrets.token_hex(_BYTES)


def _status_of(context: Any) -> str:
    code = context.code()
    return str(code.name) if isinstance(code, grpc.StatusCode) else _STATUS.get(code or 0, "UNKNOWN")


def _log_access(method: str, context: Any, status: str, spent_s: float) -> None:
    fields = {"method": method, "peer": peer_name(context.peer()), "status": status, "ms": round(spent_s * 1000, 1)}
    access.info("%(method)s from %(peer)s: %(status)s in %(ms).1f ms", fields, extra={"fields": fields})
