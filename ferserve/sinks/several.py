"""Several outputs at once, each on its own: one that fails is told of and left out, and the others go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from ferserve.errors import FerserveError
from ferserve.sinks.sink import Sink
from ferserve.sources.status import SourceStatus
from ferserve.types import Frame, FrameResult

OnFailure = Callable[[str, str], None]
"""Called with the name of an output and what went wrong, at most once per output."""


class SeveralSinks(Sink):
    """Passes everything on to the ``main`` sink, whose errors are raised, and to ``others`` by name, whose are told."""

    def __init__(self, main: Sink, others: Mapping[str, Sink], on_failure: OnFailure) -> None:
        self._main = main
        self._others = dict(others)
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self.failed: set[str] = set()
        """Names of outputs that lost results."""

    def __enter__(self) -> SeveralSinks:
        return self

    def start(self, source: str) -> None:
        """See :class:`Sink`."""
        self._main.start(source)
        self._each(lambda sink: sink.start(source))

    def frame(self, source: str, frame: Frame) -> None:
        """See :class:`Sink`."""
        self._main.frame(source, frame)
        self._each(lambda sink: sink.frame(source, frame))

    def result(self, source: str, result: FrameResult) -> None:
        """See :class:`Sink`."""
        self._main.result(source, result)
        self.closed = self._main.closed
        self._each(lambda sink: sink.result(source, result))

    def state(self, source: str, status: SourceStatus) -> None:
        """See :class:`Sink`."""
        self._main.state(source, status)
        self._each(lambda sink: sink.state(source, status))

    def end(self, source: str) -> None:
        """See :class:`Sink`."""
        self._main.end(source)
        self._each(lambda sink: sink.end(source))

    def close(self) -> None:
        """Close the others, whatever happens to one; ``main`` is its owner's."""
        for name, sink in self._others.items():
            self._guarded(name, sink.close, "")

    def _each(self, call: Callable[[Sink], None]) -> None:
        for name, sink in self._others.items():
            if name not in self.failed:
                self._guarded(name, lambda sink=sink: call(sink))  # type: ignore[misc]

    def _guarded(self, name: str, call: Callable[[], None], then: str = "; no more results go there") -> None:
        try:
            call()
        except (FerserveError, OSError) as error:
            with self._lock:
                known = name in self.failed
                self.failed.add(name)
            if not known:
                reason = str(error) if isinstance(error, FerserveError) else error.strerror or str(error)
                self._on_failure(name, reason + then)
