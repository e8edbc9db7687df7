"""Finding faces: face-lite beside its graph alone, and beside YuNet."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ferserve.detection.factory import open_face_lite
from ferserve.detection.yunet import YuNetDetector
from tests.benchmarks.measure import parameters, ratio_of, time_subject, write_down
from tests.benchmarks.subjects import detection
from tests.benchmarks.subjects.subject import Room, Subject


@pytest.mark.parametrize("subject", parameters(detection.SUBJECTS))
def test_detection(benchmark: BenchmarkFixture, subject: Subject, room: Room) -> None:
    time_subject(benchmark, subject, room)


@pytest.mark.parametrize(("width", "height"), detection.SIZES)
def test_beside_yunet(benchmark: BenchmarkFixture, width: int, height: int, yunet_file: Path) -> None:
    cv2.setNumThreads(1)
    benchmark.group = "detection"
    bgr = detection.frame(width, height)
    luma = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    face_lite, yunet = open_face_lite(detection.FACE_LITE)(), YuNetDetector(str(yunet_file))
    side = max(width, height)
    ours = lambda: face_lite.detect(luma, side_px=side, min_score=0.5)  # noqa: E731
    theirs = lambda: yunet.detect(bgr, side_px=side, min_score=0.5)  # noqa: E731
    assert len(ours()) == len(theirs()) == 1
    benchmark(ours)
    write_down(benchmark, {**ratio_of(ours, theirs), "yardstick": "YuNet", "at_least": None})
