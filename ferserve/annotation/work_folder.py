"""The folder of an output while it is made: parts that are whole, and the state after each of them.

``NAME.partial`` becomes ``NAME`` when everything is in it. A run that is killed leaves it, and the next one goes on
after the last part whose state was written.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ferserve.errors import ConfigError

LOCK_S = 10.0
"""How long a run waits for another one to let go of an output."""
_TICK_S = 0.1
_SUFFIX = ".partial"
_JOB, _LOCK, _PARTS = "job.json", "lock", "parts"
_RESULTS = frozenset(
    ("faces.csv", "faces.parquet", "annotated.mp4", "timeline.png", "timeline.svg", "summary.json", _JOB)
)


class WorkFolder:
    """One output that is being made. Only one process has it."""

    def __init__(self, final: Path, lock: int) -> None:
        self.final = final
        self.path = _partial(final)
        self._lock = lock
        self.finished = False
        self.states: list[dict[str, Any]] = self._read_states()
        """What was noted after each part that is whole."""

    def _read_states(self) -> list[dict[str, Any]]:
        states: list[dict[str, Any]] = []
        with contextlib.suppress(OSError, ValueError):
            while True:
                states.append(json.loads(self.part(len(states), ".json").read_text()))
        return states

    def part(self, number: int, suffix: str) -> Path:
        """The path of a file of part ``number``, from 0 on."""
        return self.path / _PARTS / f"{number:06d}{suffix}"

    def commit(self, state: dict[str, Any]) -> None:
        """Note that the files of the next part are whole, and what comes after it needs."""
        path = self.part(len(self.states), ".json")
        new = path.with_suffix(".new")
        new.write_text(json.dumps(state))
        new.replace(path)
        self.states.append(state)

    def finish(self) -> None:
        """Drop the parts and take the final name, in place of an older output."""
        shutil.rmtree(self.path / _PARTS)
        (self.path / _LOCK).unlink()
        if self.final.exists():
            former = self.final.with_name(self.final.name + ".former")
            shutil.rmtree(former, ignore_errors=True)
            self.final.rename(former)
            self.path.rename(self.final)
            shutil.rmtree(former)
        else:
            self.path.rename(self.final)
        self.finished = True
        os.close(self._lock)

    def leave(self, *, keep: bool) -> None:
        """Let go of an output that is not finished; without ``keep`` nothing of it stays."""
        if not keep:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def open_work(final: Path, job: dict[str, Any], *, overwrite: bool) -> WorkFolder:
    """Begin the output ``final``, or go on with it if it was begun as the same ``job``.

    Raises :class:`ConfigError` if there is one already, unless ``overwrite``, or another run is at it; and OSError.
    """
    partial = _partial(final)
    _require_free(final, overwrite)
    partial.mkdir(parents=True, exist_ok=True)
    lock = _locked(partial)
    try:
        begun = _read_job(partial)
        if begun != job:
            if begun is not None and not overwrite:
                raise ConfigError(
                    f"output must be one of this job, got {partial}, which another one began; pass --overwrite"
                )
            shutil.rmtree(partial / _PARTS, ignore_errors=True)
            (partial / _PARTS).mkdir()
            new = partial / f".{_JOB}"
            new.write_text(json.dumps(job, indent=1, sort_keys=True) + "\n")
            new.replace(partial / _JOB)
        return WorkFolder(final, lock)
    except BaseException:
        os.close(lock)
        raise


def is_finished(final: Path, job: dict[str, Any]) -> bool:
    """Whether ``final`` is the whole output of this very ``job``."""
    return _read_job(final) == job


def _require_free(final: Path, overwrite: bool) -> None:
    if not os.path.lexists(final):
        return
    if not overwrite:
        raise ConfigError(f"output must be new, got {final}, which exists; pass --overwrite to replace it, or --resume")
    if not final.is_dir() or not {entry.name for entry in final.iterdir()} <= _RESULTS:
        raise ConfigError(f"--overwrite must replace an output of annotate, got {final}; remove it, or choose another")


def _locked(partial: Path) -> int:
    """The lock of a folder; the processes of a run that was killed may have it a moment longer."""
    lock = os.open(partial / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    patient_until_s = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # noqa: PERF203, it is asked again
            if time.monotonic() > patient_until_s:
                os.close(lock)
                raise ConfigError(
                    f"cannot write {partial}: another run is at it; wait for it, or choose another --out"
                ) from None
            time.sleep(_TICK_S)
        else:
            return lock


def _read_job(folder: Path) -> dict[str, Any] | None:
    try:
        job = json.loads((folder / _JOB).read_text())
    except (OSError, ValueError):
        return None
    return job if isinstance(job, dict) else None


def _partial(final: Path) -> Path:
    return final.with_name(final.name + _SUFFIX)


def parts_of(work: WorkFolder, suffix: str) -> Iterator[Path]:
    """The paths of the files of all whole parts."""
    return (work.part(number, suffix) for number in range(len(work.states)))
