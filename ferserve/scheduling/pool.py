"""A bounded pool of threads that takes turns among queues.

Each queue is worked on by one thread at a time, so its state needs no lock, and after each piece of work it waits for
its next turn (:mod:`ferserve.scheduling.turns`).
"""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from ferserve.errors import ModelNotReadyError
from ferserve.forks import ProcessGuard
from ferserve.scheduling.caller import Caller
from ferserve.scheduling.turns import Flow, Turn, Turns

Context = TypeVar("Context")
Context_contra = TypeVar("Context_contra", contravariant=True)


_LOAD_WINDOW_NS = 100_000_000
"""The load is measured over windows of at least this length."""
_LOAD_MEMORY_NS = 500_000_000
"""Time constant with which measured load is forgotten."""
_STRETCH_NS = 2_000_000
"""A thread that worked for this long without a rest yields before its last known piece of work."""
_REST_NS = 10_000_000
"""A wait of this length counts as a rest."""
_LONG_RATIO = 2
"""Work is short beside turns that have taken this many times as long already, or did so the last time."""
_SHORT_NS = 10_000_000
"""Nothing is shorter: below, waiting costs less than sharing the processors."""
_LEAST_PAUSE_S = 0.002
"""Between two looks of a spare thread."""


class SerialQueue(Protocol[Context_contra]):
    """A sequence of pieces of work that must not overlap."""

    @property
    def flow(self) -> Flow[Any]:
        """Whose turns it takes: :meth:`WorkerPool.stream_flow`, or :meth:`WorkerPool.call_flow`."""

    def run_one(self, context: Context_contra) -> bool:
        """Do the next piece of work with this thread's ``context``; True if more waits. Must not raise."""


class WorkerPool(Generic[Context]):
    """Threads that work on queues, each with a context of its own."""

    def __init__(self, threads: int, spare: int = 0) -> None:
        """``spare``: further threads, which take up short work while all others are busy with long work.

        Nothing can interrupt a turn, but the system shares the processors among threads. So whoever wants little does
        not wait until large work of others is done.
        """
        self.process = ProcessGuard("engine")
        self._threads: list[threading.Thread] = []
        self._size, self._spare = threads, spare
        self._under_way: dict[int, tuple[int, float]] = {}  # begin and estimate, ns, by thread but for the spare ones
        self._wanted = threading.Event()  # there may be work for a spare thread
        self._help_is_near = False  # one looks for work at the right time by itself
        self._turns: Turns[SerialQueue[Context]] = Turns()
        self._lock = threading.Lock()
        self._permits: queue.SimpleQueue[bool] = queue.SimpleQueue()  # a semaphore that waits in C
        self._closed = False
        self._busy, self._progress_ns = 0, 0
        self._load = 0.0
        self._worked_ns, self._measured_ns = 0, time.monotonic_ns()

    def start(self, contexts: Sequence[Context]) -> None:
        """Start one thread per context; no other thread uses it."""
        if len(contexts) != self._size + self._spare:
            raise ValueError(f"contexts must be one per thread ({self._size + self._spare}), got {len(contexts)}")
        for i, context in enumerate(contexts):
            work = self._work if i < self._size else self._help
            self._threads.append(
                threading.Thread(target=work, args=(context,), name=f"ferserve-worker-{i}", daemon=True)
            )
        for thread in self._threads:
            thread.start()

    def schedule(self, work: SerialQueue[Context]) -> None:
        """Put a queue that has work in line; it must not be in line already.

        Raises :class:`ModelNotReadyError` after :meth:`close`, and :class:`FerserveError` in a forked child.
        """
        self.process.require_own()
        with self._lock:
            if self._closed:
                raise ModelNotReadyError("cannot take work: the engine shuts down; try another server")
            self._turns.put(work.flow, work)
            self._call_help()
        self._permits.put(True)

    def stream_flow(self, caller: Caller, weight: float) -> Flow[SerialQueue[Context]]:
        """The turns of a new stream; see :meth:`Turns.stream`."""
        with self._lock:
            return self._turns.stream(caller, weight)

    def call_flow(self, caller: Caller) -> Flow[SerialQueue[Context]]:
        """The turns of a client's single calls; see :meth:`Turns.single_calls`."""
        with self._lock:
            return self._turns.single_calls(caller)

    def load(self) -> float:
        """The part of the threads' recent time that went into work, from 0 to 1."""
        with self._lock:
            now_ns = time.monotonic_ns()
            elapsed = now_ns - self._measured_ns
            if elapsed >= _LOAD_WINDOW_NS:
                part = min(self._worked_ns / (elapsed * self._size), 1.0)
                self._load += (part - self._load) * (1 - math.exp(-elapsed / _LOAD_MEMORY_NS))
                self._worked_ns, self._measured_ns = 0, now_ns
            return self._load

    @property
    def busy(self) -> int:
        """Threads at work, without the spare ones."""
        return self._busy

    def is_contended(self) -> bool:
        """True if right now more than one thread works, or work waits."""
        return self._busy + len(self._turns) > 1

    def stalled_s(self) -> float:
        """Seconds since any thread began or ended a piece of work; 0 if one of them rests."""
        with self._lock:
            stalled_ns = time.monotonic_ns() - self._progress_ns if self._busy == self._size else 0
        return max(stalled_ns, 0) / 1e9

    def close(self) -> None:
        """Let the threads finish what is in line, then end them. A forked child has none of them."""
        if self.process.was_left:
            return
        with self._lock:
            self._closed = True
            self._wanted.set()
        for _ in self._threads:
            self._permits.put(False)
        for thread in self._threads:
            thread.join()

    def _work(self, context: Context) -> None:
        stretch = _Stretch()
        while self._permits.get():
            if self._take_turn(context, stretch):
                self._permits.put(True)

    def _take_turn(self, context: Context, stretch: _Stretch) -> bool:
        """Do the next piece of work; True if its queue has more."""
        stretch.resume(last=len(self._turns) <= 1)
        thread = threading.get_ident()
        with self._lock:
            turn = self._turns.take()
            self._busy += 1
            began_ns = self._progress_ns = time.monotonic_ns()
            self._under_way[thread] = (began_ns, turn.estimate * 1e9)
            self._call_help()
        more = turn.work.run_one(context)
        with self._lock:
            self._busy -= 1
            del self._under_way[thread]
            self._progress_ns = stretch.pause()
            self._end(turn, self._progress_ns - began_ns, more)
        return more

    def _end(self, turn: Turn[SerialQueue[Context]], worked_ns: int, more: bool) -> None:
        self._worked_ns += worked_ns
        self._turns.end(turn, worked_ns / 1e9)
        if more:
            self._turns.put(turn.flow, turn.work)

    def _call_help(self) -> None:
        """Wake a spare thread if there may be work for it; one that waits for its time already is left to it."""
        if self._spare and self._busy == self._size and len(self._turns):
            wait_ns = self._until_short_ns()
            if wait_ns is not None and (wait_ns <= 0 or not self._help_is_near):
                self._wanted.set()

    def _help(self, context: Context) -> None:
        """Take up short work while the other threads are busy with long work."""
        pause_s: float | None = None
        while True:
            self._wanted.wait(pause_s)
            with self._lock:
                if self._closed:
                    return
                self._wanted.clear()
                wait_ns = self._until_short_ns()
                turn = self._turns.take() if wait_ns is not None and wait_ns <= 0 and self._take_permit() else None
                self._help_is_near = turn is None and wait_ns is not None
            if turn is None:
                pause_s = None if wait_ns is None else max(wait_ns / 1e9, _LEAST_PAUSE_S)
                continue
            pause_s = 0.0
            began_ns = time.monotonic_ns()
            more = turn.work.run_one(context)
            with self._lock:
                self._end(turn, time.monotonic_ns() - began_ns, more)
            if more:
                self._permits.put(True)

    def _until_short_ns(self) -> int | None:
        """How long until the next work is short beside what the other threads are busy with; None if it will not be."""
        if self._busy < self._size or not len(self._turns):
            return None
        estimate_ns = int(self._turns.next_estimate() * 1e9)
        if not estimate_ns:  # nobody knows what a new stream sends
            return None
        long_ns = _LONG_RATIO * max(estimate_ns, _SHORT_NS)
        unproven = [began for began, estimate in self._under_way.values() if estimate < long_ns]
        return max(unproven) + long_ns - time.monotonic_ns() if unproven else 0

    def _take_permit(self) -> bool:
        """Take the permit of one piece of work; False if all that waits is about to be taken by other threads."""
        try:
            return self._permits.get_nowait()
        except queue.Empty:
            return False


class _Stretch:
    """The time that a thread has worked without a rest."""

    def __init__(self) -> None:
        self._began_ns = self._paused_ns = 0  # long ago: the thread comes from a rest

    def resume(self, last: bool) -> None:
        """Let others have the processor before the ``last`` piece of work in line.

        An event loop that waits for its turn (docs/decisions/0033) may have more, but cannot say so before the thread
        runs dry or uses up its slice.
        """
        now_ns = time.monotonic_ns()
        if now_ns - self._paused_ns > _REST_NS:
            self._began_ns = now_ns
        elif last and now_ns - self._began_ns > _STRETCH_NS:
            os.sched_yield()
            self._began_ns = time.monotonic_ns()

    def pause(self) -> int:
        """Note that a piece of work is done; returns the time, monotonic ns."""
        self._paused_ns = time.monotonic_ns()
        return self._paused_ns
