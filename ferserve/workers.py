"""A bounded pool of threads that takes turns among streams.

Work comes as strands: a strand is worked on by one thread at a time, so whatever it remembers needs no lock, and after
each piece of work it goes to the end of the line, so a busy stream cannot starve a quiet one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

Tool = TypeVar("Tool")
Tool_contra = TypeVar("Tool_contra", contravariant=True)


class Strand(Protocol[Tool_contra]):
    """A sequence of pieces of work that must not overlap."""

    def run_one(self, tool: Tool_contra) -> bool:
        """Do the next piece of work with this thread's ``tool``; True where more waits. Must not raise."""


class WorkerPool(Generic[Tool]):
    """One thread for each of ``tools``, which that thread alone uses."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._ready: queue.SimpleQueue[Strand[Tool] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(tool,), name=f"ferserve-worker-{i}", daemon=True)
            for i, tool in enumerate(tools)
        ]
        for thread in self._threads:
            thread.start()

    def schedule(self, strand: Strand[Tool]) -> None:
        """Put a strand that has work at the end of the line. It must not stand there already."""
        self._ready.put(strand)

    def close(self) -> None:
        """Let the threads finish what is scheduled, then end them."""
        for _ in self._threads:
            self._ready.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, tool: Tool) -> None:
        while (strand := self._ready.get()) is not None:
            if strand.run_one(tool):
                self._ready.put(strand)
