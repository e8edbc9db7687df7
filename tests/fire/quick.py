"""An attack beside a camera that waits for each of its answers: judged by counts, on a machine of any speed."""

from __future__ import annotations

import os
from queue import SimpleQueue

import grpc

from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.metadata import authorization
from tests.fire.attack import Attack, Burning
from tests.fire.measure import MAX_PEAK_MB
from tests.fire.rude import config, jpeg_frame
from tests.fire.server import FireServer

FRAMES = 60


class BesideCamera:
    """Runs attacks; see :meth:`__call__`."""

    def __init__(self, server: FireServer) -> None:
        self.server = server

    def __call__(self, attack: Attack, frames: int = FRAMES) -> None:
        """Run ``attack`` until ``frames`` of a camera had their faces, and for the first of them before it starts.

        Asserts that the server never held more memory than the bar of the measured suite.
        """
        with grpc.insecure_channel(self.server.address) as channel:
            camera = _Camera(channel)
            camera.get_answer()
            self.server.peak_mb = 0.0
            with Burning(attack, self.server.address, self.server.process.pid):
                for _ in range(frames):
                    camera.get_answer()
        assert self.server.peak_mb <= MAX_PEAK_MB


class _Camera:
    def __init__(self, channel: grpc.Channel) -> None:
        stub = emotion_pb2_grpc.EmotionServiceStub(channel)  # type: ignore[no-untyped-call]
        self._requests = _Requests()
        token = os.environ.get("FERSERVE_TOKEN", "")
        self._responses = stub.ClassifyStream(self._requests, metadata=authorization(token))
        assert next(self._responses).HasField("started")
        self._sent = 0

    def get_answer(self) -> None:
        """Send a frame and wait for its faces."""
        self._sent += 1
        self._requests.put(jpeg_frame(self._sent))
        result = next(self._responses).result
        assert result.frame_id == self._sent
        assert result.WhichOneof("outcome") == "faces", result


class _Requests:
    """The requests of a stream, one by one; the first is a config."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self.put(config(delivery=pb.DELIVERY_EVERY))

    def put(self, body: bytes) -> None:
        self._queue.put(body)

    def __iter__(self) -> _Requests:
        return self

    def __next__(self) -> pb.ClassifyStreamRequest:
        return pb.ClassifyStreamRequest.FromString(self._queue.get())
