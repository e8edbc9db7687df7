"""One engine that annotates file after file."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
import time
from pathlib import Path

from ferserve.analysis import TableWriter, open_table
from ferserve.cluster.job import ClusterJob, FileReport, StoredFile
from ferserve.cluster.part import FINGERPRINT_KEY, fingerprint, part_name, report_of, whole_part
from ferserve.cluster.storage import Storage
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import FerserveError, SourceLostError
from ferserve.local import LocalClient
from ferserve.options import Delivery, StreamOptions
from ferserve.sources.source import open_source
from ferserve.types import FrameFault, FrameResult

_EVERY_FRAME = StreamOptions(delivery=Delivery.EVERY)


class FileWorker:
    """Annotates videos, each into its part. One lives in each process of the cluster; a single process needs no Ray."""

    def __init__(self, job: ClusterJob) -> None:
        self._job = job
        self._source, self._out = Storage(job.source), Storage(job.out)
        self._engine: Engine | None = None

    def start(self) -> str:
        """Load the engine; returns why it cannot be loaded, or nothing."""
        try:
            self._engine = Engine(repeatable(self._job.engine))
        except (FerserveError, OSError) as error:
            return f"{error}"
        return ""

    def close(self) -> None:
        """End the engine."""
        if self._engine is not None:
            self._engine.close()

    def annotate(self, file: StoredFile) -> FileReport:
        """Make the part of ``file``, unless it is there. Doing it twice, even at once, leaves the same bytes.

        Never raises for what is wrong with the file or the storage.
        """
        begin = time.monotonic()
        try:
            report = self._annotate(file)
        except (FerserveError, OSError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            report = FileReport(file.name, error=" ".join(reason.split()))
        return dataclasses.replace(report, seconds=time.monotonic() - begin)

    def _annotate(self, file: StoredFile) -> FileReport:
        assert self._engine is not None
        made_of = fingerprint(self._job, file, self._engine)
        if not self._job.overwrite and (report := whole_part(self._out, file, made_of)) is not None:
            return report
        with tempfile.TemporaryDirectory(prefix="ferserve-") as folder:
            part = Path(folder) / "part.parquet"
            heads = self._engine.model("").heads
            with (
                self._source.local(file.name) as video,
                open_table(part, heads, metadata={FINGERPRINT_KEY: made_of}) as table,
            ):
                self._write(video, file.name, table)
            self._out.commit(part, part_name(file))
            return report_of(part, file)

    def _write(self, video: Path, name: str, table: TableWriter) -> None:
        frames = itertools.islice(open_source(video).frames, 0, None, self._job.every)
        with LocalClient(self._engine) as client:
            try:
                for result in client.stream(frames, _EVERY_FRAME):
                    table.write(result, name)
            except SourceLostError as error:  # what came before counts
                table.write(FrameResult(0, fault=FrameFault(error.kind, str(error))), name)


def repeatable(config: EngineConfig) -> EngineConfig:
    """``config`` without what depends on the load of the machine: sizes of batches, and limits of time."""
    return dataclasses.replace(config, max_batch_size=1, max_frame_ms=600_000.0)
