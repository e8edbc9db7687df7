"""Engines on disk: built by one process at a time, never read half-written, never used for another GPU."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from ferserve.runtime.tensorrt.builder import Built
from ferserve.runtime.tensorrt.engine_file import EngineKey, read_engine, write_engine, write_whole

log = logging.getLogger(__name__)

Loaded = TypeVar("Loaded")
Build = Callable[[bytes], Built]
"""Builds an engine, given the timings that are kept."""


class EngineCache:
    """The folder of engines and timings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def engine(self, key: EngineKey, build: Build, load: Callable[[bytes], Loaded | None]) -> Loaded | None:
        """What ``load`` makes of the engine of ``key``: of a kept one, or of one that is built and kept.

        A kept engine of which ``load`` makes None is built again; None means that it made none of the new one either.
        If the folder cannot be written, the engine is built for this process alone, and a warning says so.
        """
        path = self.folder / key.file_name
        engine = self._kept(path, key, load)
        if engine is not None:
            return engine
        with self._alone(path):
            engine = self._kept(path, key, load)  # another process may have built it while this one waited
            if engine is not None:
                return engine
            built = build(self._timings(key))
            self._keep(path, key, built)
            return load(built.engine)

    def _kept(self, path: Path, key: EngineKey, load: Callable[[bytes], Loaded | None]) -> Loaded | None:
        engine, reason = read_engine(path, key)
        loaded = None if engine is None else load(engine)
        if engine is not None and loaded is None:
            reason = "TensorRT refuses it"
        if reason:
            log.warning("cannot use the engine %s: %s; it is built again", path, reason)
        return loaded

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
