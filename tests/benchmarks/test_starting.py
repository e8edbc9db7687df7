"""Starts and memory, each in a new process, beside the bare interpreter and the bare imports."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.measure import parameters, time_subject, write_down
from tests.benchmarks.subjects import starting
from tests.benchmarks.subjects.subject import Room, Subject

MEASURE = (
    "\nimport os; from ferserve.bench.process_stats import process_stats; print(process_stats(os.getpid()).rss_mb)"
)
ENGINE = "from ferserve.engine import Engine; from ferserve.config import EngineConfig; engine = Engine(EngineConfig())"


def resident_mb(code: str) -> float:
    """Memory of a new process that has run ``code``."""
    command = [sys.executable, "-c", code + MEASURE]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("subject", parameters(starting.SUBJECTS))
def test_starting(benchmark: BenchmarkFixture, subject: Subject, room: Room) -> None:
    time_subject(benchmark, subject, room)


def test_resident_memory_of_an_engine(benchmark: BenchmarkFixture) -> None:
    """The ratio is of memory: the imports that it needs, over all of it."""
    benchmark.group = "starting"
    ours_mb = benchmark.pedantic(resident_mb, (ENGINE,), rounds=1)
    imports_mb = resident_mb("import numpy, cv2, onnxruntime, simplejpeg")
    assert imports_mb < ours_mb
    figures = {"rss_mb": ours_mb, "yardstick_rss_mb": imports_mb, "ratio": imports_mb / ours_mb}
    write_down(benchmark, {**figures, "yardstick": "memory of its imports", "at_least": None})
