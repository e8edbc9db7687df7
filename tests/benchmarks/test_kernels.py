"""The kernels, each beside OpenCV, Pillow or memcpy."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.measure import parameters, time_subject
from tests.benchmarks.subjects import kernels
from tests.benchmarks.subjects.subject import Room, Subject


@pytest.mark.parametrize("subject", parameters(kernels.SUBJECTS))
def test_kernels(benchmark: BenchmarkFixture, subject: Subject, room: Room) -> None:
    time_subject(benchmark, subject, room)
