"""The run over one source: read, look, write, part by part."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ferserve.annotation.answers import answers
from ferserve.annotation.clip import ClipShape, require_encoder
from ferserve.annotation.fingerprint import fingerprint
from ferserve.annotation.job import Job, Look
from ferserve.annotation.opening import open_recording
from ferserve.annotation.parts import PieceOfClip, open_part
from ferserve.annotation.recording import Recording, Shot
from ferserve.annotation.results import Totals, write_results
from ferserve.annotation.threads import ReadAhead
from ferserve.annotation.work_folder import WorkFolder, is_finished, open_work
from ferserve.engine import Engine
from ferserve.errors import ConfigError, FerserveError, SourceLostError
from ferserve.pipeline import square_crops
from ferserve.scheduling.stream import EngineStream
from ferserve.tracking.snapshot import restored, snapshot
from ferserve.types import FrameResult

_AHEAD = 6
"""Frames that are decoded ahead."""


@dataclass
class Progress:
    """How far a run is."""

    frames: int = 0
    """Looked at, those of an interrupted run included."""
    resumed: int = 0
    """Of these, by the run before."""
    share: float | None = None
    """Of the source, 0 to 1; None if nothing tells its length."""


@dataclass(frozen=True)
class Report:
    """How a run ended."""

    frames: int = 0
    faults: int = 0
    error: str = ""
    """Why it failed or what is missing; empty if all went well."""
    skipped: bool = False
    """It was finished before."""
    interrupted: bool = False
    notes: tuple[str, ...] = field(default=())
    """What else people should know."""


def annotate(engine: Engine, job: Job, stop: threading.Event, tell: Callable[[Progress], None]) -> Report:
    """Make the output of one job; ``stop`` ends it early: a live source well, a recording so that it can go on.

    Never raises for what is wrong with the source or the output.
    """
    try:
        return _FileRun(engine, job, stop, tell).run()
    except FerserveError as error:
        return Report(error=str(error))
    except OSError as error:
        return Report(
            error=f"cannot write {job.folder}: {error.strerror or error}; mend that, and run it again to go on"
        )
    except MemoryError:
        return Report(error="cannot go on: the memory is full; use fewer --workers")


class _FileRun:
    """One run, from opening the source to the last rename."""

    def __init__(self, engine: Engine, job: Job, stop: threading.Event, tell: Callable[[Progress], None]) -> None:
        self._engine, self._job, self._stop, self._tell = engine, job, stop, tell
        self._progress = Progress()

    def run(self) -> Report:
        """See :func:`annotate`."""
        if self._job.look.video:
            require_encoder()
        recording = open_recording(self._job, self._stop)
        if recording is None:
            return Report(interrupted=True)
        try:
            with self._engine.open_stream(self._job.look.stream) as stream:
                asked = fingerprint(self._job, self._engine, stream, live=recording.live)
                if self._job.resume and is_finished(self._job.folder, asked):
                    return Report(skipped=True)
                work = open_work(self._job.folder, asked, overwrite=self._job.overwrite)
                return self._make(stream, recording, work)
        finally:
            recording.close()

    def _make(self, stream: EngineStream, recording: Recording, work: WorkFolder) -> Report:
        keep = True
        try:
            lost = self._write_parts(stream, recording, work)
            if self._stop.is_set() and not recording.live:
                return Report(self._progress.frames, interrupted=True)
            totals = Totals.of(work)
            keep = totals.good > 0
            if not keep:
                raise ConfigError(lost or totals.first_fault or _nothing(self._job.look))
            notes = write_results(work, self._job, heads_of(stream), totals, live=recording.live)
            work.finish()
            return Report(totals.frames, totals.faults, lost or totals.complaint(), notes=notes)
        finally:
            if not work.finished:
                work.leave(keep=keep and bool(work.states))

    def _write_parts(self, stream: EngineStream, recording: Recording, work: WorkFolder) -> str:
        """Look at what is left of the source; returns why it broke off, if it did."""
        after, shape = 0, None
        if work.states:
            last = work.states[-1]
            after, shape = last["last_frame"], last["shape"] and ClipShape.from_plain(last["shape"])
            stream.state = restored(last["stream"], square_crops)
            self._progress.frames = self._progress.resumed = sum(state["frames"] for state in work.states)
        color = self._engine.wants_color(self._job.look.stream.frame)
        ahead = ReadAhead(recording.shots(self._job.look, color, after), _AHEAD, self._stop)
        items = _UntilLost(iter(ahead))
        try:
            while (first := next(items, None)) is not None:
                piece = PieceOfClip(shape, recording.time_base) if self._job.look.video else None
                part = itertools.chain([first], itertools.islice(items, self._job.look.chunk_frames - 1))
                state = self._write_part(stream, recording, work, part, piece)
                if self._stop.is_set() and not recording.live:
                    break  # the part may not be whole
                work.commit(state)
                shape = piece and piece.shape
        finally:
            ahead.close()
        return items.why

    def _write_part(
        self,
        stream: EngineStream,
        recording: Recording,
        work: WorkFolder,
        items: Iterator[Shot | FrameResult],
        piece: PieceOfClip | None,
    ) -> dict[str, Any]:
        """Write one part; returns what the next one needs."""
        number = len(work.states)
        with open_part(work.part(number, ".csv"), heads_of(stream), piece, self._job.name) as part:
            for shot, result in answers(stream, items):
                part.take(shot, result)
                self._count(shot, recording)
        start = piece.save(work.part(number, ".mp4")) if piece else None
        return {
            **part.counts(),
            "start": start,
            "shape": piece.shape.to_plain() if piece and piece.shape else None,
            "stream": snapshot(stream.state),
        }

    def _count(self, shot: Shot | None, recording: Recording) -> None:
        self._progress.frames += 1
        if shot is not None:
            self._progress.share = recording.share(shot.time_ns, self._job.look)
        self._tell(self._progress)


class _UntilLost(Iterator[Shot | FrameResult]):
    """Items up to the loss of their source, which is noted in ``why``."""

    def __init__(self, items: Iterator[Shot | FrameResult]) -> None:
        self._items = items
        self.why = ""

    def __next__(self) -> Shot | FrameResult:
        try:
            return next(self._items)
        except SourceLostError as error:
            self.why = str(error)
            raise StopIteration from None


def heads_of(stream: EngineStream) -> dict[str, tuple[str, ...]]:
    """Labels by head of all models of ``stream``."""
    return {head: labels for model in stream.models for head, labels in model.heads.items()}


def _nothing(look: Look) -> str:
    limits = " between --start and --end" if look.start_s is not None or look.end_s is not None else ""
    return f"source must have a frame that can be read{limits}, got none"
