"""Frames to faces in one thread, beside decode alone."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.measure import parameters, time_subject
from tests.benchmarks.subjects import pipeline
from tests.benchmarks.subjects.subject import Room, Subject


@pytest.mark.parametrize("subject", parameters(pipeline.SUBJECTS))
def test_pipeline(benchmark: BenchmarkFixture, subject: Subject, room: Room) -> None:
    time_subject(benchmark, subject, room)
