"""Measuring in fresh processes, so that neither their locks nor their threads are shared with anybody."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from ferserve.errors import FerserveError
from ferserve.interrupts import blocked_interrupts


@contextlib.contextmanager
def spawned(function: Callable[[Any, Connection], None], plans: Sequence[Any]) -> Iterator[list[Connection]]:
    """Run ``function(plan, pipe)`` for each plan in a process of its own; gives the other ends of their pipes.

    ``function`` first says "ready", then waits for a word. The context begins when all are ready; its end kills them.
    """
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    processes = []
    try:
        for plan in plans:
            ours, theirs = context.Pipe()
            process = context.Process(target=function, args=(plan, theirs), daemon=True)
            with blocked_interrupts():
                process.start()
            theirs.close()  # so that a dead process ends its pipe
            pipes.append(ours)
            processes.append(process)
        for pipe in pipes:
            receive(pipe)
        yield pipes
    finally:
        for process in processes:
            process.kill()
            process.join()


def receive(pipe: Connection) -> Any:
    """The next message of a spawned process; raises the :class:`FerserveError` that it sent instead."""
    try:
        message = pipe.recv()
    except EOFError:
        raise FerserveError("a measuring process must finish, got one that died; see its message above") from None
    if isinstance(message, FerserveError):
        raise message
    return message


def sum_of(function: Callable[[Any, Connection], None], plans: Sequence[Any]) -> float:
    """The sum of the rates that ``function`` sends after its word to begin, of all plans at once."""
    with spawned(function, plans) as pipes:
        for pipe in pipes:
            pipe.send("go")
        return float(sum(receive(pipe) for pipe in pipes))
