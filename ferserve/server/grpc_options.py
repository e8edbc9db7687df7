"""Options that every gRPC server of ours has."""

from __future__ import annotations

import dataclasses

from ferserve.config import MAX_MESSAGE_BYTES, ServerConfig

_MAX_BYTES_PER_PX = 4
"""Of an uncompressed picture with an alpha channel, such as a BMP."""
_OTHER_BYTES = 1024 * 1024
"""Of a message, besides pixels."""


def with_message_limit(config: ServerConfig, max_pixels: int) -> ServerConfig:
    """``config`` with a message limit that no frame of ``max_pixels`` exceeds, unless it sets one itself."""
    if config.max_message_bytes:
        return config
    needed = max_pixels * _MAX_BYTES_PER_PX + _OTHER_BYTES
    return dataclasses.replace(config, max_message_bytes=min(needed, MAX_MESSAGE_BYTES))


def server_options(config: ServerConfig, *, shares_port: bool) -> list[tuple[str, int]]:
    """Message sizes, keepalive, and whether other processes may listen on the same port."""
    return [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # Without workers a second server on the port is an error: the system would deal connections to either.
        ("grpc.so_reuseport", int(shares_port)),
        # Clients may ask every ten seconds whether the server is alive, and are not sent away for it.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        # Streams of peers that vanished without a word end after half a minute.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]
