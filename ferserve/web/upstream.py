"""Who answers the page: an engine in this process, or a server elsewhere."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ferserve.options import FrameOptions, StreamOptions
from ferserve.scheduling.caller import Caller
from ferserve.types import Frame, FrameResult, ModelDescription


class FrameStream(Protocol):
    """One open stream. For the event loop's thread alone."""

    model: ModelDescription
    """The model that answers."""
    resumed: bool
    """Whether it goes on with the tracks of a former stream."""
    resume_token: bytes
    """What resumes it after its connection broke; empty if it cannot be."""

    async def send(self, frame: Frame) -> None:
        """Take a frame; waits as long as too many are unanswered. Raises what ends the stream."""

    def end(self, error: BaseException | None = None) -> None:
        """Take no further frame; :meth:`next` ends, or raises ``error``, once those taken are answered."""

    async def next(self) -> FrameResult | None:
        """The next answer, in the order of the frames; None at the end. Raises what ends the stream."""


class Upstream(Protocol):
    """Answers pictures and streams. For the event loop's thread alone."""

    async def classify(self, picture: bytes, options: FrameOptions, caller: Caller) -> FrameResult:
        """All faces of a picture's file. Raises as :meth:`ferserve.AsyncClient.classify` does."""

    async def models(self) -> list[ModelDescription]:
        """Every model, by name. Raises as :meth:`ferserve.AsyncClient.models` does."""

    def stream(
        self, options: StreamOptions, caller: Caller, resume_token: bytes
    ) -> AbstractAsyncContextManager[FrameStream]:
        """Open a stream; raises as :meth:`ferserve.AsyncClient.stream` does."""
