"""The way of every call: our errors become statuses, all others an INTERNAL that tells no secrets."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from ferserve.auth.identity import Identity
from ferserve.errors import (
    KIND_KEY,
    ConfigError,
    FerserveError,
    ModelPullError,
    ModelSpecError,
    OverloadedError,
    StreamProtocolError,
    WrongWorkerError,
)
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.server.gate import Gate
from ferserve.server.logs import REQUEST_ID, one_line, peer_name
from ferserve.server.receiving import Receiver
from ferserve.wire.bounds import bounded
from ferserve.wire.frames import FRAME_MESSAGES
from ferserve.wire.metadata import REQUEST_ID_KEY
from ferserve.wire.pixels import Pixels
from ferserve.wire.status import details_of, status_of, with_request

logger = logging.getLogger(__name__)

_UNPAUSED_CALLS, _PAUSE_PER_CALL_S, _LONGEST_PAUSE_S = 32, 0.004, 1.0

Behavior = Callable[[Any, Any], Awaitable[Any]]


class ErrorInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Lets calls in at a gate, reads messages through a receiver, ends failed calls by the table in
    :mod:`ferserve.wire.status`, and counts them.

    Handlers must be coroutines (streaming ones write through their context), as those of a
    :class:`ferserve.server.services.Service` are.
    """

    def __init__(self, receiver: Receiver, gate: Gate, metrics: Metrics = NO_METRICS) -> None:
        self._receiver = receiver
        self._gate = gate
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Let every message come through the receiver, those of unary calls too: gRPC calls the handler of a unary call
        only when the message is whole, so to gRPC all methods take streams. On the wire that is the same.
        """
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        receive = partial(self._receive, handler, handler_call_details.method)
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        behavior = guarded(receive, handler_call_details.method, self._metrics)
        return make(behavior, None, handler.response_serializer)

    async def _receive(self, handler: grpc.RpcMethodHandler, method: str, _: Any, context: Any) -> Any:
        identity = self._gate.identify(context, method)
        self._receiver.rates.begin_call(identity.name)
        with self._receiver.calls.hold(identity.name), self._gate.hold(identity):
            try:
                return await self._answer(handler, method, context, identity)
            except OverloadedError as error:
                refusal = OverloadedError(str(error), error.limit)  # without its traceback, which refers to the message
            await asyncio.sleep(pause_before_refusal(self._receiver.calls.open_by(identity.name)))
            raise refusal

    async def _answer(self, handler: grpc.RpcMethodHandler, method: str, context: Any, identity: Identity) -> Any:
        pixels = Pixels()
        parse = handler.request_deserializer
        takes_pixels = getattr(parse, "__self__", None) in FRAME_MESSAGES
        context = self._receiver.context(context, bounded(parse, pixels if takes_pixels else None), identity, pixels)
        behavior = getattr(handler, _kind_of(handler))
        if handler.request_streaming:
            return await behavior(context.messages(), context)
        # Only the handler refers to the message, so that it can let go of the pixels that it has copied.
        return await behavior(await context.read_one(method), context)


def pause_before_refusal(calls: int) -> float:
    """How long the refusal of a client's call for want of room waits, in seconds; the client has ``calls`` in flight.

    Clients that ask again at once would keep the event loop busy with refusals.
    """
    return min(calls * _PAUSE_PER_CALL_S, _LONGEST_PAUSE_S) if calls > _UNPAUSED_CALLS else 0.0


def guarded(behavior: Behavior, method: str, metrics: Metrics = NO_METRICS) -> Behavior:
    """``behavior``, its exceptions turned into the status of the call."""

    async def call(request: Any, context: Any) -> Any:
        try:
            return await behavior(request, context)
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except grpc.aio.InternalError as error:  # gRPC could not write: the client is gone
            raise asyncio.CancelledError from error
        except Exception as error:
            refusal = refusal_of(error, method)
        metrics.call_refused(refusal.kind)
        if isinstance(refusal, OverloadedError) and refusal.limit:
            metrics.limit_reached(refusal.limit)
        _log_refusal(method, context, refusal)
        return await _abort(context, refusal)

    return call


def refusal_of(error: Exception, method: str) -> FerserveError:
    """What the client of ``method`` hears of ``error``; the log gets what it must not hear."""
    if isinstance(error, FerserveError):
        return _for_strangers(error, method)
    if isinstance(error, DecodeError):
        return StreamProtocolError(f"messages of {method} must be protobuf of its type, got other bytes")
    error_id = _error_id()
    logger.error("internal error %s in %s", error_id, method, exc_info=error)
    return FerserveError(f"internal error (id {error_id})")


def _error_id() -> str:
    """What an error is called in the log and to its caller: as the request, if it has an id."""
    return REQUEST_ID.get() or uuid.uuid4().hex[:12]


def _for_strangers(error: FerserveError, method: str) -> FerserveError:
    """``error``; one of the server's own files or settings without its words, which name paths."""
    if not isinstance(error, (ConfigError, ModelSpecError, ModelPullError)):
        return error
    error_id = _error_id()
    logger.warning("error %s in %s: %s: %s", error_id, method, error.kind, one_line(str(error)))
    return type(error)(f"model must be one that this server can load, got another (id {error_id}); its log says why")


def _log_refusal(method: str, context: Any, error: FerserveError) -> None:
    level = logging.DEBUG if isinstance(error, WrongWorkerError) else logging.INFO  # that client comes back
    if not logger.isEnabledFor(level):
        return  # somebody may send a thousand such calls per second
    logger.log(level, "%s from %s refused: %s: %s", method, peer_name(context.peer()), error.kind, one_line(str(error)))


async def _abort(context: Any, error: FerserveError) -> NoReturn:
    message, metadata = str(error), [(KIND_KEY, error.kind)]
    if request := REQUEST_ID.get():
        metadata.append((REQUEST_ID_KEY, request))
        message = message if request in message else with_request(message, request)
    await context.abort(status_of(error), details_of(message), trailing_metadata=tuple(metadata))
    raise AssertionError("abort always raises")


def _kind_of(handler: grpc.RpcMethodHandler) -> str:
    request, response = (
        "stream" if flag else "unary" for flag in (handler.request_streaming, handler.response_streaming)
    )
    return f"{request}_{response}"
