"""A camera that films only if it is asked to, so that nothing depends on how fast a machine is."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import ferserve
from ferserve.options import Delivery, StreamOptions
from ferserve.types import EncodedImage, Frame, FrameResult
from tests import builders

_PATIENCE_S = 40.0


class Camera:
    """One stream of a client of its own, in a thread. A context manager."""

    def __init__(self, address: str, stream_id: str) -> None:
        self.stream_id = stream_id
        self.sent = 0
        self.results: list[FrameResult] = []
        """Everything that came, in order."""
        self._address = address
        self._frames: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[FrameResult | BaseException] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def film(self, count: int = 1) -> None:
        """Send pictures without waiting for their answers."""
        clip = _clip()
        for _ in range(count):
            self.sent += 1
            picture = clip[self.sent % len(clip)]
            self._frames.put(Frame(self.sent, EncodedImage(picture), self.sent * 33_000_000))

    def ask(self) -> FrameResult:
        """Send one picture and wait for its answer, and for those that are still due before it."""
        self.film()
        self.settle()
        return self.results[-1]

    def server(self) -> str:
        """Which server answers now."""
        return self.ask().model_version

    def settle(self) -> None:
        """Wait until every picture is answered; raises what ended the stream."""
        while len(self.results) < self.sent:
            answer = self._answers.get(timeout=_PATIENCE_S)
            if isinstance(answer, BaseException):
                raise answer
            self.results.append(answer)

    def assert_whole(self) -> None:
        """Every picture was answered with its faces, once, in order."""
        self.settle()
        assert [result.frame_id for result in self.results] == list(range(1, self.sent + 1))
        assert all(result.ok for result in self.results), [result for result in self.results if not result.ok]

    def _run(self) -> None:
        options = StreamOptions(stream_id=self.stream_id, delivery=Delivery.EVERY)
        try:
            with ferserve.Client(self._address) as client:
                for result in client.stream(self._wanted(), options):
                    self._answers.put(result)
        except BaseException as error:
            self._answers.put(error)

    def _wanted(self) -> Iterator[Frame]:
        while (frame := self._frames.get()) is not None:
            yield frame

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.put(None)
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive(), "a stream must end with its pictures"


_CLIP: list[bytes] = []


def _clip() -> list[bytes]:
    if not _CLIP:
        _CLIP.extend(builders.jpeg_clip(30, fps=30))
    return _CLIP
