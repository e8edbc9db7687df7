"""One engine that annotates file after file."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
import time
from pathlib import Path

from ferserve.analysis import TableWriter, open_table
from ferserve.annotation.answers import answers
from ferserve.annotation.file_run import heads_of
from ferserve.annotation.job import Job, Look, repeatable
from ferserve.annotation.opening import open_recording
from ferserve.annotation.parts import PartWriter
from ferserve.annotation.threads import ReadAhead
from ferserve.cluster.job import ClusterJob, FileReport, StoredFile
from ferserve.cluster.part import FINGERPRINT_KEY, fingerprint, part_name, report_of, whole_part
from ferserve.cluster.storage import Storage
from ferserve.engine import Engine
from ferserve.errors import ConfigError, FerserveError, SourceLostError
from ferserve.scheduling.stream import EngineStream
from ferserve.types import FrameFault, FrameResult

_AHEAD = 6
"""Frames that are decoded ahead."""


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
            with (
                self._source.local(file.name) as video,
                self._engine.open_stream(Look().stream) as stream,
                open_table(part, heads_of(stream), metadata={FINGERPRINT_KEY: made_of}) as table,
            ):
                self._write(video, file.name, stream, table)
            self._out.commit(part, part_name(file))
            return report_of(part, file)

    def _write(self, video: Path, name: str, stream: EngineStream, table: TableWriter) -> None:
        look, going = Look(self._job.every, video=False), threading.Event()
        recording = open_recording(Job(name, str(video), video.parent, look), going)
        assert self._engine is not None
        assert recording is not None
        part, color = PartWriter(table, None, name), self._engine.wants_color(look.stream.frame)
        ahead = ReadAhead(recording.shots(look, color, 0), _AHEAD, going)
        try:
            for shot, result in answers(stream, iter(ahead)):
                part.take(shot, result)
        except SourceLostError as error:  # what came before counts
            part.take(None, FrameResult(0, fault=FrameFault(error.kind, str(error))))
        finally:
            ahead.close()
            recording.close()
        if part.frames == part.faults:
            raise ConfigError(part.first_fault or "video must have a frame that can be read, got none")
