"""The outcomes that are counted: the interface that engine and services call, and a default that counts nothing.

An exporter implements :class:`Metrics`; no module here knows one. Each outcome has one caller, so that nothing is
counted twice:

* The engine counts every frame that reaches it (:meth:`Metrics.frame_answered`, :meth:`Metrics.frame_cancelled`) and
  every stream that it opens (:meth:`Metrics.stream_opened`, :meth:`Metrics.stream_closed`).
* A service counts what never reaches the engine: a frame that it answers with a fault itself, because the message
  holds no valid frame (:meth:`Metrics.frame_answered`), and each call that ends with an error
  (:meth:`Metrics.call_refused`).
* The server counts how often its workers stall (:meth:`Metrics.workers_stalled`).

What is not an outcome but a state, :class:`EngineFigures`, is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ferserve.types import FrameResult


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """What an engine holds at one moment, and what its threads have done since it was made."""

    waiting: int
    """Frames and tensors that wait for a worker thread."""
    waiting_bytes: int
    threads: int
    busy_threads: int
    resumable: int
    """Closed streams that can be resumed."""
    resumable_bytes: int
    tracks: int
    """Faces that open streams keep track of."""
    detection_passes: int
    followed_frames: int
    """Frames of streams whose faces were followed without the detector."""
    device_lost: bool
    """Whether a GPU that models run on is gone for good."""


class Metrics(Protocol):
    """Called once per outcome, from any thread. Methods must be fast and must not raise."""

    def frame_answered(self, result: FrameResult) -> None:
        """A frame got its answer: faces, a fault, or a drop with its reason.

        Called by the engine before the answer is handed over, once per frame that ``submit`` or ``send`` took, and for
        a single frame that it refused because too many wait (``dropped``). A single frame that raises
        :class:`~ferserve.errors.InvalidFrameError` is counted as a fault of that kind; a frame that ends its stream
        with an error, as a fault of the error's kind (``internal`` if the error is not ours). A frame that raises from
        ``submit`` or ``send`` because its stream is closed or its id does not rise was not taken, and only the call
        counts.
        """

    def frame_degraded(self) -> None:
        """A frame was classified although something is wrong with its file, which ``result.degraded`` names.

        Called by the engine, after :meth:`frame_answered` for the same frame.
        """

    def frame_cancelled(self) -> None:
        """The caller of a single frame cancelled it before a worker took it up, or while it was worked on. Called by
        the engine.
        """

    def call_refused(self, kind: str) -> None:
        """A unary call or a stream ended with an error of that ``kind`` (:mod:`ferserve.errors`). Called by services.

        The frame of a unary call that failed in the engine is counted by :meth:`frame_answered` too: the two methods
        count different things.
        """

    def limit_reached(self, limit: str) -> None:
        """A call was refused because what the setting ``limit`` allows is used up. Called by services, after
        :meth:`call_refused`.
        """

    def model_loaded(self, model: str, version: str, *, runs_on: str, sha256: str) -> None:
        """A model is ready, or a new version of one; ``sha256`` is of its file. Called by the engine."""

    def model_ran(self, model: str, version: str, rows: int) -> None:
        """A model ran once, with ``rows`` faces or rows of tensors. Called by the engine."""

    def stream_opened(self, *, resumed: bool) -> None:
        """A stream was opened, or resumed after its connection broke. Called by the engine."""

    def stream_closed(self) -> None:
        """An open stream ended, for whatever reason. Called by the engine, once per :meth:`stream_opened`."""

    def resume_token(self, outcome: str) -> None:
        """A stream was opened with a resume token, which was ``accepted`` or why it does not count
        (:class:`ferserve.wire.resume_token.Refusal`). Called by services.
        """

    def workers_stalled(self, stalled: bool) -> None:
        """All worker threads have been busy with the same work for ``server.stall_s``, or are no longer.

        Called by the server, when it changes what its health says.
        """

    def loop_lagged(self, lag_s: float) -> None:
        """The event loop of a server took up work this late. Called by servers, five times a second."""


class NoMetrics:
    """Counts nothing."""

    def frame_answered(self, result: FrameResult) -> None:
        """See :class:`Metrics`."""

    def frame_degraded(self) -> None:
        """See :class:`Metrics`."""

    def frame_cancelled(self) -> None:
        """See :class:`Metrics`."""

    def call_refused(self, kind: str) -> None:
        """See :class:`Metrics`."""

    def limit_reached(self, limit: str) -> None:
        """See :class:`Metrics`."""

    def model_loaded(self, model: str, version: str, *, runs_on: str, sha256: str) -> None:
        """See :class:`Metrics`."""

    def model_ran(self, model: str, version: str, rows: int) -> None:
        """See :class:`Metrics`."""

    def stream_opened(self, *, resumed: bool) -> None:
        """See :class:`Metrics`."""

    def stream_closed(self) -> None:
        """See :class:`Metrics`."""

    def resume_token(self, outcome: str) -> None:
        """See :class:`Metrics`."""

    def workers_stalled(self, stalled: bool) -> None:
        """See :class:`Metrics`."""

    def loop_lagged(self, lag_s: float) -> None:
        """See :class:`Metrics`."""


NO_METRICS = NoMetrics()
