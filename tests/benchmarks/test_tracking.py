"""Following, detection passes, smoothing and selection."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.measure import parameters, time_subject
from tests.benchmarks.subjects import tracking
from tests.benchmarks.subjects.subject import Room, Subject


@pytest.mark.parametrize("subject", parameters(tracking.SUBJECTS))
def test_tracking(benchmark: BenchmarkFixture, subject: Subject, room: Room) -> None:
    time_subject(benchmark, subject, room)
