"""Workers on Ray, and what happens if one dies."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ferserve.cluster.file_worker import FileWorker
from ferserve.cluster.job import ClusterJob, FileReport, StoredFile
from ferserve.errors import ConfigError, explained_imports

OLDEST_RAY = (2, 44)
_MOST_DEATHS = 3
"""Workers that a file may take with it, and that may die in a row while they start."""
_WAIT_S = 1.0
_JOIN_S = 30.0
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no report to anybody
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Settings of Ray, which are read when it is imported."""


@dataclass(frozen=True)
class PoolSettings:
    """Where the workers run, how many, and what each takes of the cluster."""

    address: str | None = None
    """A cluster's, as ``ray.init`` takes it; None for that of RAY_ADDRESS, or else for this machine alone."""
    workers: int = 0
    """0 for as many as the cluster has room for."""
    cpus: float = 1.0
    gpus: float = 0.0


def run_pool(
    job: ClusterJob,
    files: Sequence[StoredFile],
    settings: PoolSettings,
    tell: Callable[[str], None],
    worker: type[FileWorker] = FileWorker,
) -> Iterator[FileReport]:
    """Annotate ``files`` on a cluster, a report for each as it is done; ``tell`` hears of workers that die.

    A file whose ``worker`` dies goes to another one, and fails with its third.

    Raises:
        ConfigError: The cluster cannot be reached or has no room, or its workers cannot start.
        MissingPackageError: Ray is not installed.
    """
    ray = _import_ray()
    _join(ray, settings)
    try:
        yield from _Pool(ray, job, settings, tell, worker).run(files)
    finally:
        ray.shutdown()


def _import_ray() -> Any:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with explained_imports():
        import ray
    version = tuple(int(part) for part in ray.__version__.split(".")[:2])
    if version < OLDEST_RAY:
        oldest = ".".join(map(str, OLDEST_RAY))
        raise ConfigError(f"ray must be version {oldest} or newer, got {ray.__version__}; `pip install -U ray`")
    return ray


def _join(ray: Any, settings: PoolSettings) -> None:
    address = settings.address or os.environ.get("RAY_ADDRESS") or "local"
    own: dict[str, Any] = {}
    if address == "local":  # nothing but reports passes between processes
        own = {"include_dashboard": False, "object_store_memory": 100_000_000}
        if settings.workers:
            own["num_cpus"] = max(1, math.ceil(settings.workers * settings.cpus))
    joined = partial(ray.init, address=address, log_to_driver=False, logging_level="ERROR", **own)
    try:
        # A cluster of our own ends with the thread that begins it.
        joined() if address == "local" else _within(_JOIN_S, joined)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).strip().partition("\n\n")[0].split())
        raise ConfigError(
            f"cannot join the cluster at {address}: {reason}; check the address, and that all nodes have Ray "
            f"{ray.__version__} and the same Python"
        ) from error


def _within(seconds: float, call: Callable[[], object]) -> None:
    """``call`` in a thread of its own: Ray asks an address that does not answer for many minutes, in C++."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True, name="join-cluster")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise ConnectionError(f"no answer within {seconds:g} s")
    if failures:
        raise failures[0]


@dataclass
class _Pool:
    _ray: Any
    _job: ClusterJob
    _settings: PoolSettings
    _tell: Callable[[str], None]
    _worker: type[FileWorker]
    _starting: dict[Any, Any] = field(default_factory=dict)
    """Actors by the reference of their answer to ``start``."""
    _busy: dict[Any, tuple[Any, StoredFile]] = field(default_factory=dict)
    """Actors and their files by the reference of the report."""
    _deaths: Counter[str] = field(default_factory=Counter)
    _failed_starts: int = 0

    def run(self, files: Sequence[StoredFile]) -> Iterator[FileReport]:
        waiting = deque(files)
        for _ in range(self._size(len(files))):
            self._start_worker()
        since = time.monotonic()
        while waiting or self._busy:
            done, _ = self._ray.wait([*self._starting, *self._busy], timeout=_WAIT_S)
            if not done and not self._busy and time.monotonic() - since > 60:
                self._tell("no worker could start for a minute: the cluster has no room; waiting")
                since = time.monotonic()
            for reference in done:
                if reference in self._starting:
                    self._begin(reference, waiting)
                else:
                    yield from self._finish(reference, waiting)

    def _size(self, files: int) -> int:
        room = self._ray.cluster_resources()
        fits = int(room.get("CPU", 0) // self._settings.cpus) if self._settings.cpus else files
        if self._settings.gpus:
            fits = min(fits, int(room.get("GPU", 0) // self._settings.gpus))
        if not fits:
            asked = f"{self._settings.cpus:g} CPUs and {self._settings.gpus:g} GPUs"
            has = f"{room.get('CPU', 0):g} and {room.get('GPU', 0):g}"
            raise ConfigError(f"cluster must have room for a worker of {asked}, got {has}; let a worker take less")
        return min(fits, files, self._settings.workers or fits)

    def _start_worker(self) -> None:
        options = {"num_cpus": self._settings.cpus, "num_gpus": self._settings.gpus}
        # A worker that dies is replaced here, not by Ray, which would run its file again without end.
        remote = self._ray.remote(max_restarts=0, max_task_retries=0, **options)(self._worker)
        actor = remote.remote(self._job)
        self._starting[actor.start.remote()] = actor

    def _begin(self, reference: Any, waiting: deque[StoredFile]) -> None:
        actor = self._starting.pop(reference)
        try:
            reason = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts == _MOST_DEATHS or not _died(self._ray, error):
                hint = "install the same ferserve with the extra ray on every node"
                raise ConfigError(f"cannot start a worker: {_last_line(error)}; {hint}") from error
            self._start_worker()
            return
        if reason:
            raise ConfigError(f"cannot start a worker: {reason}")
        self._failed_starts = 0
        self._give(actor, waiting)

    def _give(self, actor: Any, waiting: deque[StoredFile]) -> None:
        if waiting:
            file = waiting.popleft()
            self._busy[actor.annotate.remote(file)] = (actor, file)
        else:
            self._ray.kill(actor)

    def _finish(self, reference: Any, waiting: deque[StoredFile]) -> Iterator[FileReport]:
        actor, file = self._busy.pop(reference)
        try:
            report = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            if not _died(self._ray, error):
                yield FileReport(file.name, error=_last_line(error))
                self._give(actor, waiting)
                return
            self._ray.kill(actor)
            yield from self._bury(file, waiting)
            return
        yield report
        self._give(actor, waiting)

    def _bury(self, file: StoredFile, waiting: deque[StoredFile]) -> Iterator[FileReport]:
        """A worker died over ``file``: start another, and let the file wait, unless it was not the first."""
        self._deaths[file.name] += 1
        deaths = self._deaths[file.name]
        if deaths < _MOST_DEATHS:
            self._tell(f"a worker died at {file.name}; another one goes on")
            waiting.append(file)
        else:
            yield FileReport(file.name, error=f"{deaths} workers died at this file; out of memory, or a crash")
        if waiting:
            self._start_worker()


def _died(ray: Any, error: Exception) -> bool:
    return isinstance(error, ray.exceptions.RayActorError | ray.exceptions.WorkerCrashedError)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
