"""From the status of a failed call back to the error that it stands for."""

from __future__ import annotations

from typing import Final

import grpc

from ferserve import errors
from ferserve.errors import KIND_KEY, FerserveError
from ferserve.wire.metadata import as_dict

_CLASS_BY_KIND: Final[dict[str, type[FerserveError]]] = {
    cls.kind: cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, FerserveError) and cls not in (FerserveError, errors.RemoteError)
}

_BROKEN: Final = {"UNAVAILABLE", "CANCELLED", "INTERNAL", "UNKNOWN"}
"""What a call ends with when its connection breaks, or a proxy's."""


_AFTER_HANDSHAKE: Final = "see that it speaks TLS, and that tls.ca vouches for its certificate under this host name"


def error_from_rpc(rpc: grpc.aio.AioRpcError, target: str, timeout_s: float = 0) -> FerserveError:
    """The error that the server raised where it says so, otherwise one that says what went wrong on the way."""
    code, details = rpc.code(), rpc.details() or ""
    kind = as_dict(rpc.trailing_metadata()).get(KIND_KEY, "")
    if kind in _CLASS_BY_KIND:
        return _CLASS_BY_KIND[kind](details)
    if code is grpc.StatusCode.UNAVAILABLE:
        way_out = _AFTER_HANDSHAKE if "handshake failed" in details else "start one with `ferserve serve`"
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
    """True where a new connection may lead to the worker that should carry the stream."""
    return as_dict(rpc.trailing_metadata()).get(KIND_KEY) == errors.WrongWorkerError.kind


def is_broken_connection(rpc: grpc.aio.AioRpcError) -> bool:
    """True where the same frames may well be answered after a reconnection: the server went away or is stopping."""
    kind = as_dict(rpc.trailing_metadata()).get(KIND_KEY)
    return kind == errors.ModelNotReadyError.kind or (kind is None and rpc.code().name in _BROKEN)
