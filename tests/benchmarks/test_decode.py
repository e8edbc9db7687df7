"""Decoding, beside OpenCV."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.measure import parameters, time_subject
from tests.benchmarks.subjects import decode
from tests.benchmarks.subjects.subject import Room, Subject


@pytest.mark.parametrize("subject", parameters(decode.SUBJECTS))
def test_decode(benchmark: BenchmarkFixture, subject: Subject, room: Room) -> None:
    time_subject(benchmark, subject, room)
