"""An engine whose workers are all busy, for tests of what waits."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import numpy as np

from ferserve.engine import Engine
from ferserve.scheduling.pending import Outcome
from ferserve.sources.arrays import raw_image
from ferserve.types import Frame


@contextlib.contextmanager
def held_workers(engine: Engine) -> Iterator[threading.Event]:
    """Keep every worker in the callback of a frame until the event is set, or the block ends.

    Spare ones take up a frame only if its stream's last one was short, and once the others have been busy for a while.
    """
    gate, inside = threading.Event(), threading.Semaphore(0)

    def hold(outcome: Outcome) -> None:
        inside.release()
        gate.wait(30)

    dark = raw_image(np.zeros((64, 64), np.uint8))
    with contextlib.ExitStack() as streams:
        opened = [
            streams.enter_context(engine.open_stream()) for _ in range(engine.threads + engine.config.spare_threads)
        ]
        for stream in opened:
            stream.submit(Frame(0, dark)).result(10)
        for stream in opened:
            stream.send(Frame(1, dark), hold)
            assert inside.acquire(timeout=10)
        try:
            yield gate
        finally:
            gate.set()
