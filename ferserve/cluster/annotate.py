"""Annotates an archive of videos, on a cluster or in this process."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ferserve._version import __version__
from ferserve.cluster.file_worker import FileWorker
from ferserve.cluster.job import ClusterJob, FileReport, StoredFile
from ferserve.cluster.pool import PoolSettings, run_pool
from ferserve.cluster.storage import Storage
from ferserve.errors import ConfigError

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1


def annotate_archive(
    job: ClusterJob, settings: PoolSettings | None, tell: Callable[[str], None]
) -> tuple[int, Iterator[FileReport]]:
    """Annotate every video of ``job``: the number of files, and their reports as they are done.

    The manifest is written when the last report was taken. Parts that are whole are kept, so a run that was ended by
    anything goes on where it was.

    Args:
        job: What to do.
        settings: The cluster; None for this process alone, without Ray.
        tell: Hears what happens to workers.

    Raises:
        ConfigError: The source, the output or the cluster cannot be used.
        MissingPackageError: Ray or pyarrow is not installed.
    """
    source, out = Storage(job.source), Storage(job.out)
    files = source.videos()
    out.probe()
    job = dataclasses.replace(job, source=source.location, out=out.location)
    reports = _alone(job, files) if settings is None else run_pool(job, files, settings, tell)
    return len(files), _with_manifest(reports, out)


def _alone(job: ClusterJob, files: Iterable[StoredFile]) -> Iterator[FileReport]:
    worker = FileWorker(job)
    if reason := worker.start():
        raise ConfigError(reason)
    with contextlib.closing(worker):
        for file in files:
            yield worker.annotate(file)


def _with_manifest(reports: Iterable[FileReport], out: Storage) -> Iterator[FileReport]:
    done = []
    for report in reports:
        done.append(report)
        yield report
    done.sort(key=lambda report: report.name)
    plain: dict[str, Any] = {
        "manifest_version": MANIFEST_VERSION,
        "ferserve": __version__,
        "files": [_entry(report) for report in done if not report.error],
        "failed": [{"file": report.name, "error": report.error} for report in done if report.error],
    }
    with tempfile.TemporaryDirectory(prefix="ferserve-") as folder:
        file = Path(folder) / MANIFEST
        file.write_text(json.dumps(plain, indent=1) + "\n", "utf-8")
        out.commit(file, MANIFEST)


def _entry(report: FileReport) -> dict[str, Any]:
    """A file of the manifest; it does not say how the run went, so that every run of the same files writes the same."""
    names = ("part", "rows", "frames", "faults")
    return {"file": report.name} | {name: getattr(report, name) for name in names}
