"""A real Ray, whose workers die. `make test-ray` runs these tests; without Ray they are skipped."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ferserve.analysis import read_table
from ferserve.cluster.file_worker import FileWorker
from ferserve.cluster.job import ClusterJob, FileReport, StoredFile
from ferserve.cluster.pool import PoolSettings, run_pool
from ferserve.cluster.storage import Storage
from ferserve.errors import ConfigError
from tests.cluster.archive import alone, archive, command, parts

pytest.importorskip("ray", reason="clusters need Ray: make test-ray")
pytestmark = [
    pytest.mark.timeout(300),
    # Ray's own: files and sockets that it leaves to the garbage collector, and what it deprecates of itself.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(tmp_path_factory.mktemp("videos"), 60)


@pytest.fixture(scope="module")
def expected(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("alone")
    assert all(not report.error for report in alone(videos, out).values())
    return parts(out)


def _workers(run: psutil.Popen | object) -> list[psutil.Process]:
    """Processes of workers, of the run that we started."""
    children = psutil.Process(run.pid).children(recursive=True)  # type: ignore[union-attr]
    found = []
    for child in children:
        with contextlib.suppress(psutil.Error):
            if child.cmdline()[:1] == ["ray::FileWorker.annotate"]:
                found.append(child)
    return found


def test_a_killed_worker_costs_no_row(videos: Path, expected: dict[str, bytes], tmp_path: Path) -> None:
    with command(videos, "--out", tmp_path / "out", "--workers", "2") as run:
        assert run.stdout is not None
        lines = [run.stdout.readline() for _ in range(10)]
        while not (working := _workers(run)):
            time.sleep(0.001)
        working[0].send_signal(signal.SIGKILL)
        out, err = run.communicate(timeout=240)
    assert run.returncode == 0, err
    assert err.count("a worker died at ") == 1
    reported = [line.split()[1] for line in [*lines, *out.splitlines()] if line.startswith("[")]
    assert len(reported) == len(set(reported)) == 60
    assert parts(tmp_path / "out") == expected
    table = read_table(tmp_path / "out")
    assert len(table) == 360
    assert not table.duplicated(["source", "frame", "track"]).any()


def test_a_killed_run_goes_on_where_it_was(videos: Path, expected: dict[str, bytes], tmp_path: Path) -> None:
    with command(videos, "--out", tmp_path / "out", "--workers", "2") as run:
        assert run.stdout is not None
        for _ in range(10):
            run.stdout.readline()
        everything = psutil.Process(run.pid).children(recursive=True)
        for process in [psutil.Process(run.pid), *everything]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        run.communicate(timeout=60)
    with command(videos, "--out", tmp_path / "out", "--workers", "2") as run:
        out, err = run.communicate(timeout=240)
    assert run.returncode == 0, err
    before = int(out.rsplit(" done before", 1)[0].rsplit(" ", 1)[1])
    assert 10 <= before < 60
    assert parts(tmp_path / "out") == expected


class Fragile(FileWorker):
    """Dies at one file, each time."""

    def annotate(self, file: StoredFile) -> FileReport:
        """See :class:`FileWorker`."""
        if file.name == "cam1/001.avi":
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().annotate(file)


def _run(job: ClusterJob, settings: PoolSettings, told: list[str]) -> Iterator[FileReport]:
    return run_pool(job, Storage(job.source).videos()[17:23], settings, told.append, Fragile)


def test_a_file_that_kills_its_workers_fails_alone(videos: Path, tmp_path: Path) -> None:
    told: list[str] = []
    reports = list(_run(ClusterJob(str(videos), str(tmp_path)), PoolSettings("local", workers=2), told))
    assert len(reports) == 6
    failed = [(report.name, report.error) for report in reports if report.error]
    assert failed == [("cam1/001.avi", "3 workers died at this file; out of memory, or a crash")]
    assert told == ["a worker died at cam1/001.avi; another one goes on"] * 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (PoolSettings("local", cpus=10_000), "cluster must have room for a worker of 10000 CPUs and 0 GPUs, got"),
        (PoolSettings("local", workers=1, gpus=1), "cluster must have room for a worker of 1 CPUs and 1 GPUs, got"),
        (PoolSettings("127.0.0.1:1"), "cannot join the cluster at 127.0.0.1:1: .*; check the address"),
        (PoolSettings("nonsense://"), "cannot join the cluster at nonsense://: .*; check the address"),
    ],
)
def test_a_cluster_that_cannot_be_used(videos: Path, tmp_path: Path, settings: PoolSettings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        list(_run(ClusterJob(str(videos), str(tmp_path)), settings, []))


def test_a_model_that_is_missing_ends_the_run(videos: Path, tmp_path: Path) -> None:
    with command(videos, "--out", tmp_path / "out", "--workers", "1", "--model", "missing") as run:
        out, err = run.communicate(timeout=120)
    assert (run.returncode, out) == (2, "")
    assert "cannot start a worker: " in err
    assert err.count("\n") == 1
