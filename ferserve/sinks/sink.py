"""The one interface of outputs.

For each source a command calls ``start``, then ``frame`` and ``result`` for each of its frames, then ``end``; ``state``
comes in between, if the source is live.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType

from ferserve.errors import FerserveError
from ferserve.sources.status import SourceStatus
from ferserve.types import Frame, FrameResult


class SinkError(FerserveError):
    """An output cannot take results, or has lost some."""

    kind = "sink"


class Sink(ABC):
    """Takes the results of one source after the other. A context manager.

    Every method may raise :class:`SinkError` or OSError; then the output is over, and :meth:`close` comes next.
    """

    closed = False
    """True after the user closed it: the command can end."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, source: str) -> None:  # noqa: B027, most sinks need not know
        """The frames and results of ``source`` come next."""

    def frame(self, source: str, frame: Frame) -> None:  # noqa: B027
        """``frame`` goes to the engine; called in another thread than the rest, some frames before its result."""

    @abstractmethod
    def result(self, source: str, result: FrameResult) -> None:
        """Take one result; those of a source come in the order of its frames."""

    def state(self, source: str, status: SourceStatus) -> None:  # noqa: B027
        """A live source has a new state; called in any thread."""

    def end(self, source: str) -> None:  # noqa: B027
        """``source`` has ended, well or not."""

    def close(self) -> None:  # noqa: B027
        """Finish the output."""


def watched(frames: Iterator[Frame | FrameResult], sink: Sink, source: str) -> Iterator[Frame | FrameResult]:
    """``frames``, each of which ``sink`` sees on its way."""
    try:
        for frame in frames:
            if isinstance(frame, Frame):
                sink.frame(source, frame)
            yield frame
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()
