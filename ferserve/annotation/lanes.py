"""Jobs side by side: in this process one after the other, or in several processes, each with its own engine."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from ferserve.annotation.file_run import Progress, Report, annotate
from ferserve.annotation.job import Job
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.interrupts import blocked_interrupts

log = logging.getLogger("ferserve.annotation")

_TICK_S = 0.1


@dataclass(frozen=True)
class Event:
    """News of the job at ``index``: its progress, or its report at the end."""

    index: int
    news: Progress | Report


class _NoEngineError(Exception):
    """The engine of a process did not start, because of its cause."""


_Run: TypeAlias = Callable[[Job, Callable[[Progress], None]], Report]
_Post: TypeAlias = Callable[[Event | BaseException], None]


class Lanes:
    """Runs jobs in lanes; iterate over it for what happens until the last report."""

    def __init__(self, jobs: Sequence[Job], config: EngineConfig, lanes: int) -> None:
        self._events: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
        self._jobs: queue.SimpleQueue[tuple[int, Job]] = queue.SimpleQueue()
        self._left = len(jobs)
        self._stop = threading.Event()
        for numbered in enumerate(jobs):
            self._jobs.put(numbered)
        lane = _own_engine if lanes == 1 else _own_process
        for number in range(min(lanes, len(jobs))):
            thread = threading.Thread(
                target=self._work, args=(partial(lane, config, self._stop),), name=f"lane-{number}", daemon=True
            )
            thread.start()

    def stop(self) -> None:
        """End early: live sources well, recordings so that they can go on. Their reports still come."""
        self._stop.set()

    def __iter__(self) -> Iterator[Event]:
        """What happens, until every job has reported; raises what kept an engine from starting."""
        while self._left:
            event = self._events.get()
            if isinstance(event, BaseException):
                raise event
            self._left -= isinstance(event.news, Report)
            yield event

    def _work(self, open_lane: Callable[[], Any]) -> None:
        try:
            with open_lane() as run:
                while True:
                    index, job = self._jobs.get_nowait()
                    self._events.put(Event(index, self._report(run, index, job)))
        except queue.Empty:
            return
        except _NoEngineError as error:
            self._events.put(error.__cause__ or error)
        except BaseException as error:  # told to who iterates
            self._events.put(error)

    def _report(self, run: _Run, index: int, job: Job) -> Report:
        if self._stop.is_set():
            return Report(interrupted=True)
        try:
            return run(job, lambda progress: self._events.put(Event(index, progress)))
        except _NoEngineError:
            raise
        except Exception as error:  # the other files go on
            log.debug("%s", job.name, exc_info=True)
            return Report(error=f"cannot go on: {type(error).__name__}: {error}")


@contextlib.contextmanager
def _own_engine(config: EngineConfig, stop: threading.Event) -> Iterator[_Run]:
    with Engine(config) as engine:
        yield lambda job, tell: annotate(engine, job, stop, tell)


@contextlib.contextmanager
def _own_process(config: EngineConfig, stop: threading.Event) -> Iterator[_Run]:
    lane = _Process(config, stop)
    try:
        yield lane.run
    finally:
        lane.close()


class _Process:
    """A process with an engine; if it dies, such as in a native library, the next job gets a new one."""

    def __init__(self, config: EngineConfig, stop: threading.Event) -> None:
        self._config, self._stop = config, stop
        self._process: Any = None
        self._pipe: Connection | None = None

    def run(self, job: Job, tell: Callable[[Progress], None]) -> Report:
        pipe = self._pipe or self._start()
        pipe.send(job)
        told = False
        try:
            while True:
                if self._stop.is_set() and not told:
                    pipe.send(None)
                    told = True
                if not pipe.poll(_TICK_S):
                    continue
                news = pipe.recv()
                if isinstance(news, Report):
                    return news
                if isinstance(news, BaseException):
                    raise _NoEngineError from news
                tell(news)
        except (EOFError, ConnectionError):
            self._process.join()
            self._pipe = None
            return Report(error=f"cannot go on: its process ended with {self._process.exitcode}")

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._config), daemon=True)
        with blocked_interrupts():  # this process decides what Ctrl-C means
            self._process.start()
        theirs.close()
        self._pipe = ours
        return ours

    def close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._process.join()


def _serve(pipe: Connection, config: EngineConfig) -> None:
    """What the process runs: a job at a time, until the other end is closed."""
    inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_receive, args=(pipe, inbox, stop), daemon=True).start()
    try:
        with Engine(config) as engine:
            while (job := inbox.get()) is not None:
                try:
                    report = annotate(engine, job, stop, pipe.send)
                except Exception as error:  # the other files go on
                    report = Report(error=f"cannot go on: {type(error).__name__}: {error}")
                pipe.send(report)
    except (BrokenPipeError, ConnectionError):
        return
    except Exception as error:
        pipe.send(error)


def _receive(pipe: Connection, inbox: queue.SimpleQueue[Job | None], stop: threading.Event) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            message = pipe.recv()
            if message is None:
                stop.set()
            else:
                inbox.put(message)
    stop.set()
    inbox.put(None)
