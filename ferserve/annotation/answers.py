"""The engine's answers to the frames of a recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from ferserve.annotation.recording import Shot
from ferserve.scheduling.stream import EngineStream
from ferserve.types import FrameResult

_IN_FLIGHT = 3
"""Frames that the engine has."""


def answers(stream: EngineStream, items: Iterable[Shot | FrameResult]) -> Iterator[tuple[Shot | None, FrameResult]]:
    """Each of ``items`` with its result, in their order; a result stands for itself, without a shot."""
    waiting: deque[tuple[Shot | None, Future[FrameResult] | FrameResult]] = deque()
    for item in items:
        waiting.append((None, item) if isinstance(item, FrameResult) else (item, stream.submit(item.frame)))
        if len(waiting) > _IN_FLIGHT:
            yield _oldest(waiting)
    while waiting:
        yield _oldest(waiting)


def _oldest(waiting: deque[tuple[Shot | None, Future[FrameResult] | FrameResult]]) -> tuple[Shot | None, FrameResult]:
    shot, answer = waiting.popleft()
    return shot, answer if isinstance(answer, FrameResult) else answer.result()
