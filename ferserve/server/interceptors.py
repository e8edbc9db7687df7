"""What every call passes through: our errors become statuses, everything else an INTERNAL that tells no secrets."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from ferserve.errors import KIND_KEY, FerserveError, StreamProtocolError
from ferserve.wire.status import details_of, status_of

logger = logging.getLogger(__name__)

Behavior = Callable[[Any, Any], Awaitable[Any]]


class ErrorInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Ends failed calls by the table in :mod:`ferserve.wire.status`.

    Handlers must be coroutines (streaming ones write through their context), as all of this server's are.
    """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        kind, make = _kind_of(handler)
        behavior = guarded(getattr(handler, kind), handler_call_details.method)
        return make(behavior, handler.request_deserializer, handler.response_serializer)


def guarded(behavior: Behavior, method: str) -> Behavior:
    """``behavior``, its exceptions turned into the status of the call."""

    async def call(request: Any, context: Any) -> Any:
        try:
            return await behavior(request, context)
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except grpc.aio.InternalError as error:  # gRPC could not write: the client is gone, and nobody is left to tell
            raise asyncio.CancelledError from error
        except FerserveError as error:
            await _abort(context, status_of(error), str(error), error.kind)
        except DecodeError:
            garbled = StreamProtocolError(f"messages of {method} must be protobuf of its type, got other bytes")
            await _abort(context, status_of(garbled), str(garbled), garbled.kind)
        except Exception:
            error_id = uuid.uuid4().hex[:12]
            logger.exception("internal error %s in %s", error_id, method)
            await _abort(context, grpc.StatusCode.INTERNAL, f"internal error (id {error_id})", "internal")

    return call


async def _abort(context: Any, code: grpc.StatusCode, details: str, kind: str) -> NoReturn:
    await context.abort(code, details_of(details), trailing_metadata=((KIND_KEY, kind),))
    raise AssertionError("abort always raises")


def _kind_of(handler: grpc.RpcMethodHandler) -> tuple[str, Callable[..., grpc.RpcMethodHandler]]:
    if handler.request_streaming:
        if handler.response_streaming:
            return "stream_stream", grpc.stream_stream_rpc_method_handler
        return "stream_unary", grpc.stream_unary_rpc_method_handler
    if handler.response_streaming:
        return "unary_stream", grpc.unary_stream_rpc_method_handler
    return "unary_unary", grpc.unary_unary_rpc_method_handler
