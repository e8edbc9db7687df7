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
from ferserve.scheduling.lanes import Lanes, is_long
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
        """``spare``: further threads, which take up short work while all others are busy with long work."""
        self.process = ProcessGuard("engine")
        self._threads: list[threading.Thread] = []
        self._size, self._spare = threads, spare
        self._lanes = Lanes(threads)
        self._held_back = 0  # permits of long work that has to wait for other long work
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
            self._lanes.arrive(work.flow, time.monotonic_ns())
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
            for _ in range(self._held_back):
                self._permits.put(True)
            self._held_back = 0
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
        """Do the next piece of work that may begin, if any may; True if its queue has more."""
        stretch.resume(last=len(self._turns) <= 1)
        thread = threading.get_ident()
        with self._lock:
            began_ns = time.monotonic_ns()
            flow = self._next(began_ns)
            if flow is None:
                self._held_back += 1
                return False
            turn = self._turns.take(flow)
            self._busy += 1
            self._progress_ns = began_ns
            self._lanes.begin(thread, flow, began_ns)
            self._call_help()
        began_working_ns = time.thread_time_ns()
        more = turn.work.run_one(context)
        with self._lock:
            self._busy -= 1
            self._lanes.end(thread)
            self._progress_ns = stretch.pause()
            self._end(turn, began_ns, began_working_ns, more)
        return more

    def _next(self, now_ns: int) -> Flow[SerialQueue[Context]] | None:
        """Whose work may begin now."""
        return self._turns.next(None if self._closed or self._lanes.has_room(now_ns) else is_long)

    def _end(self, turn: Turn[SerialQueue[Context]], began_ns: int, began_working_ns: int, more: bool) -> None:
        now_ns = time.monotonic_ns()
        self._worked_ns += now_ns - began_ns
        self._turns.end(turn, (now_ns - began_ns) / 1e9, (time.thread_time_ns() - began_working_ns) / 1e9)
        if more:
            self._turns.put(turn.flow, turn.work)
            self._lanes.arrive(turn.flow, now_ns)
        if self._held_back and self._lanes.has_room(now_ns):
            self._held_back -= 1
            self._permits.put(True)

    def _call_help(self) -> None:
        """Wake a spare thread if there may be work for it; one that waits for its time already is left to it."""
        if self._spare:
            _, wait_ns = self._next_short()
            if wait_ns <= 0 or (wait_ns < math.inf and not self._help_is_near):
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
                flow, wait_ns = self._next_short()
                turn = self._turns.take(flow) if wait_ns <= 0 and self._take_permit() else None
                self._help_is_near = turn is None and wait_ns < math.inf
            if turn is None:
                pause_s = max(wait_ns / 1e9, _LEAST_PAUSE_S) if wait_ns < math.inf else None
                continue
            pause_s = 0.0
            began_ns, began_working_ns = time.monotonic_ns(), time.thread_time_ns()
            more = turn.work.run_one(context)
            with self._lock:
                self._end(turn, began_ns, began_working_ns, more)
            if more:
                self._permits.put(True)

    def _next_short(self) -> tuple[Flow[SerialQueue[Context]] | None, float]:
        """Whose work is next, and how long until a spare thread may take it up; infinite if it will not be so."""
        now_ns = time.monotonic_ns()
        flow = self._next(now_ns) if self._busy == self._size else None
        return flow, math.inf if flow is None else self._lanes.until_short_ns(flow, now_ns)

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
