"""Opens the source of a job."""

from __future__ import annotations

import concurrent.futures
import sys
import threading

from ferserve.annotation.job import Job
from ferserve.annotation.recording import Recording, recording_of
from ferserve.client.feed import start_opening
from ferserve.errors import ConfigError
from ferserve.sources.iterables import FrameMaker

_TICK_S = 0.1


def open_recording(job: Job, stop: threading.Event) -> Recording | None:
    """The source of ``job``; None if ``stop`` came first, as a server that never answers may be asked.

    Raises :class:`ConfigError` if it cannot be opened, and :class:`InvalidFrameError` for a damaged picture.
    """
    maker = FrameMaker(job.look.sequence_fps)
    source = sys.stdin.buffer if job.locator is None else job.locator
    opening = start_opening(source, maker)
    while not stop.is_set():
        try:
            return recording_of(opening.result(_TICK_S))
        except concurrent.futures.TimeoutError:  # noqa: PERF203, it is asked again
            if opening.done():
                raise
        except OSError as error:
            raise ConfigError(f"source must be readable, got {job.name}: {error.strerror or error}") from None
    return None
