"""Engines on disk: built by one process at a time, never read half-written, never used for another GPU."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from ferserve.runtime.tensorrt.builder import Built
from ferserve.runtime.tensorrt.engine_file import EngineKey, read_engine, write_engine, write_whole

log = logging.getLogger(__name__)

Build = Callable[[bytes], Built]
"""Builds an engine, given the timings that are kept."""


class EngineCache:
    """The folder of engines and timings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def engine(self, key: EngineKey, build: Build, usable: Callable[[bytes], bool] = lambda engine: True) -> bytes:
        """The engine of ``key``: kept, or built and kept.

        ``usable`` says whether TensorRT takes a kept engine; one that it refuses is built again. If the folder cannot
        be written, the engine is built for this process alone, and a warning says so.
        """
        path = self.folder / key.file_name
        engine = self._kept(path, key, usable)
        if engine is not None:
            return engine
        with self._alone(path):
            engine = self._kept(path, key, usable)  # another process may have built it while this one waited
            if engine is not None:
                return engine
            built = build(self._timings(key))
            self._keep(path, key, built)
            return built.engine

    def _kept(self, path: Path, key: EngineKey, usable: Callable[[bytes], bool]) -> bytes | None:
        engine, reason = read_engine(path, key)
        if engine is not None and not usable(engine):
            engine, reason = None, "TensorRT refuses it"
        if reason:
            log.warning("cannot use the engine %s: %s; it is built again", path, reason)
        return engine

    def _timings(self, key: EngineKey) -> bytes:
        try:
            return (self.folder / key.timing_name).read_bytes()
        except OSError:
            return b""

    def _keep(self, path: Path, key: EngineKey, built: Built) -> None:
        try:
            write_engine(path, key, built.engine)
            write_whole(self.folder / key.timing_name, built.timings)
        except OSError as error:
            log.warning("cannot keep the engine in %s: %s; the next start builds it again. Free space there, or set "
                        "engine.cache_dir", self.folder, error.strerror or error)  # fmt: skip

    @contextlib.contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """Hold the file lock of ``path``, which the system drops if its process is killed."""
        import fcntl

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = path.with_suffix(".lock").open("w")
        except OSError:
            yield  # nothing can be kept here, so nothing is shared
            return
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.warning("another process builds the engine %s; waiting for it", path.name)
                fcntl.flock(lock, fcntl.LOCK_EX)
            for partial in self.folder.glob(f"{path.name}.*.partial"):
                partial.unlink(missing_ok=True)  # of a process that was killed while it wrote
            yield
