"""The device that ``auto`` stands for: the first that answers as the processor does, found by running it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferserve.runtime.base import Session, Tensor, UnavailableError, trial_feeds

log = logging.getLogger(__name__)

_TOLERANCE = 0.02
"""Of the largest number of an output, at least 1: half precision stays below, a wrong kernel does not."""
_ROUNDS, _FASTER = 7, 0.9
"""Runs per processor backend in turns; another one has to take less than this share of the time to be taken."""

_refused: dict[str, str] = {}
"""Devices that did not load here, and why: they are tried, and named in the log, once per process."""


@dataclass(frozen=True)
class Candidate:
    """A device that ``auto`` may take."""

    name: str
    """As people know it, such as ``CUDAExecutionProvider``."""
    offered: Callable[[], bool]
    """Whether its library is installed; cheap."""
    open: Callable[[Path], Session]


def refusals() -> str:
    """Why ``auto`` takes no better device in this process, or an empty string."""
    return "; ".join(f"not {name}: {reason}" for name, reason in _refused.items())


def any_offered(candidates: Sequence[Candidate]) -> bool:
    """True if one of them is worth trying."""
    return any(each.name not in _refused and each.offered() for each in candidates)


def open_auto(
    path: Path, open_cpu: Callable[[Path], Session], gpus: Sequence[Candidate], processors: Sequence[Candidate]
) -> Session:
    """A session of the first of ``gpus`` that answers with the CPU's numbers, else of the fastest backend on the CPU.

    Raises :class:`ferserve.errors.ModelSpecError` if the CPU cannot load the graph.
    """
    on_cpu = open_cpu(path)
    for gpu in gpus:
        if gpu.name in _refused or not gpu.offered():
            continue
        session = _tried(gpu, path, on_cpu)
        if session is not None:
            return session
    return _fastest(path, on_cpu, processors)


def _tried(candidate: Candidate, path: Path, on_cpu: Session) -> Session | None:
    try:
        session = candidate.open(path)
        feeds = trial_feeds(on_cpu.inputs)
        reason = _difference(on_cpu.run(feeds), session.run(feeds))
    except UnavailableError as error:
        reason = error.reason
    except Exception as error:  # native libraries raise what they like
        reason = _short(error)
    if not reason:
        return session
    _refused[candidate.name] = reason
    log.warning(
        "cannot use %s: %s; the CPU runs the models. Set engine.device to cpu if that is meant", candidate.name, reason
    )
    return None


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _difference(expected: Sequence[Tensor], got: Sequence[Tensor]) -> str:
    for wanted, given in zip(expected, got, strict=True):
        if wanted.shape != given.shape:
            return f"it answers with shape {given.shape} where the CPU has {wanted.shape}"
        apart = np.abs(wanted.astype(np.float64) - given.astype(np.float64)).max(initial=0.0)
        if not apart <= _TOLERANCE * max(1.0, float(np.abs(wanted).max(initial=0.0))):
            return f"its answers differ from the CPU's by {apart:.3g}"
    return ""


def _fastest(path: Path, on_cpu: Session, others: Sequence[Candidate]) -> Session:
    best = on_cpu
    for other in others:
        if other.name in _refused or not other.offered():
            continue
        session = _tried(other, path, on_cpu)
        if session is not None and _share_of_time(session, best) < _FASTER:
            best = session
    return best


def _share_of_time(session: Session, other: Session) -> float:
    """Best time of one row in ``session``, as a share of that in ``other``."""
    feeds = trial_feeds(session.inputs)
    best = [float("inf")] * 2
    for _ in range(_ROUNDS):
        for place, each in enumerate((session, other)):
            start = time.perf_counter()
            each.run(feeds)
            best[place] = min(best[place], time.perf_counter() - start)
    return best[0] / best[1]
