"""Kinds of errors and gRPC statuses, in both directions."""

from __future__ import annotations

from typing import Final

import grpc

from ferserve import errors
from ferserve.errors import KIND_KEY, FerserveError
from ferserve.wire.metadata import as_dict

MAX_DETAILS_BYTES: Final = 2000
"""Longer messages would not fit into the headers that carry them: each byte that is not ASCII takes three there."""

STATUS_BY_KIND: Final[dict[str, grpc.StatusCode]] = {
    "invalid_frame": grpc.StatusCode.INVALID_ARGUMENT,
    "invalid_options": grpc.StatusCode.INVALID_ARGUMENT,
    "stream_protocol": grpc.StatusCode.INVALID_ARGUMENT,
    "model_not_found": grpc.StatusCode.NOT_FOUND,
    "model_not_ready": grpc.StatusCode.UNAVAILABLE,
    "model_load": grpc.StatusCode.FAILED_PRECONDITION,
    "device": grpc.StatusCode.UNAVAILABLE,
    "overloaded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "wrong_worker": grpc.StatusCode.UNAVAILABLE,
    "unsupported": grpc.StatusCode.UNIMPLEMENTED,
    "unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "permission_denied": grpc.StatusCode.PERMISSION_DENIED,
    "frame_deadline": grpc.StatusCode.DEADLINE_EXCEEDED,
    "config": grpc.StatusCode.FAILED_PRECONDITION,
    "model_spec": grpc.StatusCode.FAILED_PRECONDITION,
    "model_pull": grpc.StatusCode.FAILED_PRECONDITION,
    "server_unavailable": grpc.StatusCode.UNAVAILABLE,
    "table": grpc.StatusCode.INVALID_ARGUMENT,
    "source_lost": grpc.StatusCode.UNAVAILABLE,
    "remote": grpc.StatusCode.INTERNAL,
    "internal": grpc.StatusCode.INTERNAL,
}

_CLASS_BY_KIND: Final[dict[str, type[FerserveError]]] = {
    cls.kind: cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, FerserveError) and cls not in (FerserveError, errors.RemoteError)
}

_BROKEN: Final = {"UNAVAILABLE", "CANCELLED", "INTERNAL", "UNKNOWN"}
"""Statuses of a call whose connection broke, between client and server or behind a proxy."""

_WAYS_OUT: Final = (
    ("WRONG_VERSION_NUMBER", "the server does not speak TLS: drop tls.ca"),
    ("Hostname Verification", "its certificate does not name this host: call it by a name in it, or issue another one"),
    ("handshake failed", "see that it speaks TLS, and that tls.ca vouches for its certificate under this host name"),
    ("Socket closed", "if the server speaks TLS, set tls.ca"),
    ("errors resolving", "check the name of the host"),
    ("", "start one with `ferserve serve`"),
)
"""What to do about a connection that failed, by the first words that gRPC's reason holds."""


def status_of(error: FerserveError) -> grpc.StatusCode:
    """The status that tells a client of ``error``."""
    return STATUS_BY_KIND[error.kind]


def details_of(message: str) -> str:
    """As much of ``message`` as a status can carry."""
    return message.encode()[:MAX_DETAILS_BYTES].decode(errors="ignore")


def with_request(message: str, request_id: str) -> str:
    """``message`` with the id of the request, which a long message does not push out of the status."""
    room = MAX_DETAILS_BYTES - len(f" (request {request_id})".encode())
    return f"{message.encode()[:room].decode(errors='ignore')} (request {request_id})"


def error_from_rpc(rpc: grpc.aio.AioRpcError, target: str, timeout_s: float = 0) -> FerserveError:
    """The error that the server raised, if it named one; otherwise one for what the status says."""
    code, details = rpc.code(), rpc.details() or ""
    kind = _kind_in(rpc)
    if kind in _CLASS_BY_KIND:
        return _CLASS_BY_KIND[kind](details)
    if code is grpc.StatusCode.UNAVAILABLE:
        way_out = next(way for words, way in _WAYS_OUT if words in details)
        return errors.ServerUnavailableError(
            f"target must be a server that can be reached, got {target}: {details}; {way_out}"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.FrameDeadlineError(
            f"the answer must come within {timeout_s:g} s, got none; give the call a longer timeout"
        )
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "message larger than max" in details:
        return errors.InvalidFrameError(
            f"frame must be smaller than the server's max_message_bytes, got: {details}; scale or compress it"
        )
    return errors.RemoteError(details or "the call failed without a reason", code.name)


def is_wrong_worker(rpc: grpc.aio.AioRpcError) -> bool:
    """True if a new connection may lead to the worker that should carry the stream."""
    return _kind_in(rpc) == errors.WrongWorkerError.kind


def is_broken_connection(rpc: grpc.aio.AioRpcError) -> bool:
    """True if the same frames may be answered on a new connection: this one broke, or the server is stopping."""
    kind = _kind_in(rpc)
    return kind == errors.ModelNotReadyError.kind or (not kind and rpc.code().name in _BROKEN)


def _kind_in(rpc: grpc.aio.AioRpcError) -> str:
    """The kind of the error that ended the call; empty if the server named none."""
    return as_dict(rpc.trailing_metadata()).get(KIND_KEY, "")
