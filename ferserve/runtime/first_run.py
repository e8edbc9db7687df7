"""The first run of a model, which a file from somewhere else may make endless or larger than the machine."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from ferserve.errors import ModelSpecError

T = TypeVar("T")

_KB = 1024


def within(limit_s: float, stop: Callable[[], None], run: Callable[[], T]) -> T:
    """The answer of ``run``; ``stop`` is called if it takes longer than ``limit_s``, and lets it raise.

    Raises :class:`ModelSpecError` if it takes too long, or does not fit into the memory that is free.
    """
    too_long = threading.Event()

    def end() -> None:
        too_long.set()
        stop()

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()
    try:
        with free_memory_alone():
            return run()
    except Exception as error:  # ONNX Runtime's own classes share no base but Exception
        if too_long.is_set():
            raise ModelSpecError(
                f"model must answer one row within {limit_s:g} s (engine.max_first_run_s), got no answer"
            ) from None
        raise ModelSpecError(f"model must run on one row here, got: {str(error).splitlines()[0][:500]}") from None
    finally:
        timer.cancel()


@contextlib.contextmanager
def free_memory_alone() -> Iterator[None]:
    """Let allocations beyond the free memory fail; else the system ends the process once they are written to."""
    try:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = (_kb_in("/proc/self/status", "VmSize") + _kb_in("/proc/meminfo", "MemAvailable")) * _KB
    except (ImportError, OSError, ValueError):  # not Linux
        yield
        return
    if soft != resource.RLIM_INFINITY:
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _kb_in(path: str, name: str) -> int:
    for line in Path(path).read_text("ascii", "replace").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise ValueError(name)
