"""Which gRPC status each kind of error becomes; the one place that knows both."""

from __future__ import annotations

from typing import Final

import grpc

from ferserve.errors import FerserveError

MAX_DETAILS_BYTES: Final = 2000
"""Longer messages would not fit into the headers that carry them, where a byte that is not ASCII takes three."""

STATUS_BY_KIND: Final[dict[str, grpc.StatusCode]] = {
    "invalid_frame": grpc.StatusCode.INVALID_ARGUMENT,
    "invalid_options": grpc.StatusCode.INVALID_ARGUMENT,
    "stream_protocol": grpc.StatusCode.INVALID_ARGUMENT,
    "model_not_found": grpc.StatusCode.NOT_FOUND,
    "model_not_ready": grpc.StatusCode.UNAVAILABLE,
    "overloaded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "wrong_worker": grpc.StatusCode.UNAVAILABLE,
    "frame_deadline": grpc.StatusCode.DEADLINE_EXCEEDED,
    "config": grpc.StatusCode.FAILED_PRECONDITION,
    "model_spec": grpc.StatusCode.FAILED_PRECONDITION,
    "model_pull": grpc.StatusCode.FAILED_PRECONDITION,
    "server_unavailable": grpc.StatusCode.UNAVAILABLE,
    "remote": grpc.StatusCode.INTERNAL,
    "internal": grpc.StatusCode.INTERNAL,
}


def status_of(error: FerserveError) -> grpc.StatusCode:
    """The status that tells a client of ``error``."""
    return STATUS_BY_KIND[error.kind]


def details_of(message: str) -> str:
    """As much of ``message`` as a status can carry."""
    return message.encode()[:MAX_DETAILS_BYTES].decode(errors="ignore")
