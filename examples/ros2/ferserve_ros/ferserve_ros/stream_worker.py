"""The stream to the server, in a thread of its own: it comes back after every failure, with the newest picture."""

from __future__ import annotations

import random
import string
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ferserve
from ferserve_ros.newest import Newest

_TAKE_S = 0.1
"""A stream that ends is noticed after this time."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 2.0


@dataclass(frozen=True)
class Picture:
    """A picture on its way: its payload, and the header of its message."""

    payload: ferserve.EncodedImage | ferserve.RawImage
    header: Any
    capture_time_ns: int


@dataclass(frozen=True)
class Answer:
    """A result with the header of its picture; ``stream`` is new whenever track ids start afresh."""

    stream: str
    header: Any
    result: ferserve.FrameResult


def new_stream_id() -> str:
    """Five letters, one in twelve million, so that ids of faces are not used again by another stream or node."""
    return "".join(random.SystemRandom().choices(string.ascii_lowercase, k=5))


class StreamWorker:
    """Sends pictures and tells answers, until it is stopped."""

    def __init__(
        self,
        connect: Callable[[], ferserve.Client],
        options: ferserve.StreamOptions,
        on_answer: Callable[[Answer], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        """``connect`` makes a client; ``on_answer`` and ``on_trouble`` are called in the worker's thread."""
        self._connect, self._options = connect, options
        self._on_answer, self._on_trouble = on_answer, on_trouble
        self._newest: Newest[Picture] = Newest()
        self._stopped = threading.Event()
        self._client: ferserve.Client | None = None
        self._thread = threading.Thread(target=self._run, name="ferserve stream", daemon=True)
        self.connected = False
        """Whether the last thing that came from the server was an answer."""

    def start(self) -> None:
        """Connect, now and after each failure."""
        self._thread.start()

    def send(self, picture: Picture) -> bool:
        """Send ``picture`` as soon as the stream takes one; False if it replaces one that still waited."""
        return self._newest.put(picture) is None

    def stop(self) -> None:
        """End the stream and the thread."""
        self._stopped.set()
        if (client := self._client) is not None:
            client.close()
        self._thread.join(10)

    def _run(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stopped.is_set():
            if trouble := self._stream_once():
                wait_s = _FIRST_WAIT_S if self.connected else min(2 * wait_s, _LONGEST_WAIT_S)
                self.connected = False
                self._on_trouble(trouble)
                self._stopped.wait(wait_s)

    def _stream_once(self) -> str:
        """Stream until the end or a failure, and say which; empty at the end."""
        try:
            with self._connect() as self._client:
                self._stream(self._client)
        except (ferserve.FerserveError, OSError) as error:
            return str(error)
        return ""

    def _stream(self, client: ferserve.Client) -> None:
        stream, headers, over = new_stream_id(), {}, threading.Event()
        results = client.stream(self._frames(headers, over), self._options)
        try:
            for result in results:
                self.connected = True
                header = headers.pop(result.frame_id)
                if not self._stopped.is_set():
                    self._on_answer(Answer(stream, header, result))
        finally:
            over.set()
            results.close()

    def _frames(self, headers: dict[int, Any], over: threading.Event) -> Iterator[ferserve.Frame]:
        number = 0
        while not (self._stopped.is_set() or over.is_set()):
            picture = self._newest.take(_TAKE_S)
            if picture is not None:
                number += 1
                headers[number] = picture.header
                yield ferserve.Frame(number, picture.payload, picture.capture_time_ns)
