"""The files of a finished output, made of its parts."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ferserve.analysis import plot_timeline, summarize
from ferserve.analysis.columns import Heads, table_columns
from ferserve.annotation.clip import ClipPart, join
from ferserve.annotation.job import Job
from ferserve.annotation.sound import sound_of
from ferserve.annotation.work_folder import WorkFolder
from ferserve.errors import MissingPackageError, explained_imports


@dataclass(frozen=True)
class Totals:
    """What the parts of an output hold together."""

    frames: int
    faults: int
    first_fault: str

    @classmethod
    def of(cls, work: WorkFolder) -> Totals:
        """The totals of all parts."""
        states = work.states
        first = next((state["first_fault"] for state in states if state["first_fault"]), "")
        return cls(sum(state["frames"] for state in states), sum(state["faults"] for state in states), first)

    @property
    def good(self) -> int:
        """Frames that could be looked at."""
        return self.frames - self.faults

    def complaint(self) -> str:
        """What is wrong with the source, in one line; empty if all was well."""
        if not self.faults:
            return ""
        count = f"{self.faults} faults, first: " if self.faults > 1 else ""
        return f"{count}{self.first_fault}"


def write_results(work: WorkFolder, job: Job, heads: Heads, totals: Totals, *, live: bool) -> tuple[str, ...]:
    """Write all files into the folder of ``work``; returns notes on those that could not be written."""
    _join_tables(work)
    if job.look.video:
        _join_clip(work, job, live=live)
    notes: tuple[str, ...] = ()
    plain: dict[str, Any] = {"source": _writable(job.name), "faults": totals.faults, "first_fault": totals.first_fault}
    try:
        _write_parquet(work, heads)
        plain |= summarize(work.path / "faces.parquet")
        if job.look.plots:
            plot_timeline(work.path / "faces.parquet", work.path / "timeline.png", work.path / "timeline.svg")
    except MissingPackageError as error:
        notes = (f"only faces.csv and annotated.mp4 are complete: {error}",)
    (work.path / "summary.json").write_text(json.dumps(plain, indent=1) + "\n")
    return notes


def _join_tables(work: WorkFolder) -> None:
    with open(work.path / "faces.csv", "wb") as whole:
        for number in range(len(work.states)):
            with open(work.part(number, ".csv"), "rb") as part:
                header = part.readline()
                whole.write(b"" if number else header)
                shutil.copyfileobj(part, whole)


def _join_clip(work: WorkFolder, job: Job, *, live: bool) -> None:
    starts = enumerate(state["start"] for state in work.states)
    parts = [ClipPart(work.part(number, ".mp4"), Fraction(start)) for number, start in starts if start is not None]
    if not parts:
        return
    source = job.locator if isinstance(job.locator, str) and not live else None  # what is live cannot be read again
    with (
        open(work.path / "annotated.mp4", "w+b", buffering=0) as file,
        sound_of(source, job.look.start_s, job.look.end_s) as sound,
    ):
        out = _Checked(file)
        try:
            join(parts, out, sound)
        except Exception:
            if out.error is not None:
                raise out.error from None
            raise


class _Checked:
    """A file for PyAV, which hides the error of a full disk behind one of its own."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.seek, self.tell, self.name = file.seek, file.tell, ""
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write all of ``data``; keeps what goes wrong."""
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError as error:
            self.error = error
            raise
        return written


def _write_parquet(work: WorkFolder, heads: Heads) -> None:
    from ferserve.analysis import to_arrow

    with explained_imports():
        from ferserve.analysis.arrow import parquet_file, schema_of

    schema = schema_of(column.name for column in table_columns(heads))
    path = work.path / "faces.parquet"
    with parquet_file(path, schema) as whole:
        for number in range(len(work.states)):
            rows = to_arrow(work.part(number, ".csv"))
            whole.write_table(rows.select(schema.names).cast(schema))


def _writable(name: str) -> str:
    """``name`` with the bytes of a path that is no UTF-8 escaped."""
    return name.encode("utf-8", "backslashreplace").decode()
