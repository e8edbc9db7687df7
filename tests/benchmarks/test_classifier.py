"""The bundled models, beside ONNX Runtime alone."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.measure import parameters, time_subject
from tests.benchmarks.subjects import classifier
from tests.benchmarks.subjects.subject import Room, Subject


@pytest.mark.parametrize("subject", parameters(classifier.SUBJECTS))
def test_classifier(benchmark: BenchmarkFixture, subject: Subject, room: Room) -> None:
    time_subject(benchmark, subject, room)
