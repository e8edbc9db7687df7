"""Streams of the API over calls that cost little, opened many at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ferserve.bench.call import Call
from ferserve.bench.messages import METHOD
from ferserve.bench.poller import Poller
from ferserve.errors import ServerUnavailableError
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import MOVABLE_KEY

PATIENCE_S = 15.0
MOST_CONNECTIONS = 200
"""A worker of several may ask for another connection; one that refuses so often means it."""


class LiveStream:
    """One stream on a connection of its own; ``on_result`` hears of every answer."""

    def __init__(self, target: str, config: bytes, on_result: Callable[[pb.FrameResult], None]) -> None:
        self.started = False
        self._target, self._config, self._on_result = target, config, on_result
        self._connections = 0

    def connect(self, poller: Poller) -> None:
        """Open the stream, or open it anew."""
        self._connections += 1
        if self._connections > MOST_CONNECTIONS:
            raise ServerUnavailableError(
                f"server must take each stream, got one refused by {self._target}; "
                "name a model that it has, a port without TLS, or raise its server.max_streams_per_client"
            )
        self.call = Call(self._target, METHOD, {MOVABLE_KEY: "1"})
        self.call.send(self._config)
        poller.add(self.call, self._on_message)

    def _on_message(self, message: bytes) -> None:
        response = pb.ClassifyStreamResponse.FromString(message)
        if response.WhichOneof("message") == "started":
            self.started = True
        else:
            self._on_result(response.result)


def open_streams(streams: Sequence[LiveStream], poller: Poller) -> None:
    """Connect all, and again those that a worker sends elsewhere; raises :class:`ServerUnavailableError`."""
    for stream in streams:
        stream.connect(poller)
    until = time.monotonic() + PATIENCE_S
    while not all(stream.started for stream in streams):
        poller.wait(0.1)
        for stream in streams:
            if stream.call.ended and not stream.started:
                stream.call.close()
                stream.connect(poller)
        if time.monotonic() > until:
            raise ServerUnavailableError(f"server must start every stream within {PATIENCE_S:g} s, got none in time")
