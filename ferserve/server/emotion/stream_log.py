"""The log lines of one stream."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from ferserve.server.logs import one_line, peer_name
from ferserve.server.tracing import CALL_TRACE
from ferserve.types import FrameResult

if TYPE_CHECKING:
    from ferserve.scheduling.stream import EngineStream

logger = logging.getLogger(__name__)


class StreamLog:
    """Logs how a stream begins, each frame (level DEBUG), and what it came to; for the event loop's thread alone."""

    def __init__(self, peer: str, stream: EngineStream) -> None:
        self._stream = f"stream {one_line(stream.options.stream_id) or '(unnamed)'} from {peer_name(peer)}"
        self._trace = CALL_TRACE.get()
        self._started = time.monotonic()
        self._answered = self._faults = self._dropped = 0
        delivery = stream.options.delivery
        logger.info(
            "%s %s: model %s, delivery %s, priority %s",
            self._stream,
            "resumed" if stream.resumed else "opened",
            stream.models[0].name,
            delivery.value if delivery else "default",
            stream.options.priority.value,
        )

    def answered(self, result: FrameResult) -> None:
        """Count one answer."""
        self._answered += 1
        self._faults += result.fault is not None
        self._dropped += result.dropped is not None
        if self._trace is not None:
            self._trace.frame(result)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s: frame %d: %s", self._stream, result.frame_id, outcome_of(result))

    def closed(self) -> None:
        """Log the totals."""
        logger.info(
            "%s closed after %.1f s: %d frames answered, %d of them faults, %d dropped",
            self._stream,
            time.monotonic() - self._started,
            self._answered,
            self._faults,
            self._dropped,
        )


def outcome_of(result: FrameResult) -> str:
    """The answer to a frame in a few words."""
    if result.fault is not None:
        return f"fault {result.fault.code}: {one_line(result.fault.message)}"
    if result.dropped is not None:
        return f"dropped: {result.dropped.value}"
    count = len(result.faces)
    return f"{count} face{'s' * (count != 1)} in {result.timings.total_ms:.1f} ms"
