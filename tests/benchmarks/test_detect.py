"""What it costs to find faces, one thread: face-lite from luma to boxes, its graph alone, and YuNet in the same run.

``pytest tests/benchmarks/test_detect.py --benchmark-enable --benchmark-only --benchmark-group-by=group``; keep and
compare the ratios within a group.
"""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ferserve.detection.base import detection_size
from ferserve.detection.factory import open_face_lite, read_detector_spec
from ferserve.detection.yunet import YuNetDetector
from ferserve.models.store import BUNDLED_DIR
from ferserve.runtime import open_session
from tests.builders import scene

FACE_LITE = BUNDLED_DIR / "face-lite.onnx"
SIZES = [(320, 240), (160, 120), (640, 480)]
pytestmark = pytest.mark.benchmark(min_rounds=200, warmup=True, disable_gc=True)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def _frame(width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(scene(), (width, height), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_face_lite(benchmark: Any, width: int, height: int) -> None:
    benchmark.group = f"detect {width}x{height}"
    detector = open_face_lite(FACE_LITE)()
    luma = cv2.cvtColor(_frame(width, height), cv2.COLOR_BGR2GRAY)
    found = benchmark(detector.detect, luma, side_px=max(width, height), min_score=0.5)
    assert len(found) == 1


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_face_lite_graph_alone(benchmark: Any, width: int, height: int) -> None:
    benchmark.group = f"detect {width}x{height}"
    session, spec = open_session(FACE_LITE), read_detector_spec(FACE_LITE)
    luma = np.zeros((1, 1, *detection_size(height, width, max(width, height))), np.uint8)
    cells = benchmark(session.run, {spec.input: luma})[0]
    assert cells.shape == (16, luma.size // 64 + luma.size // 256 + luma.size // 1024)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_yunet(benchmark: Any, width: int, height: int, yunet_file: Any) -> None:
    benchmark.group = f"detect {width}x{height}"
    detector = YuNetDetector(str(yunet_file))
    bgr = _frame(width, height)
    found = benchmark(detector.detect, bgr, side_px=max(width, height), min_score=0.5)
    assert len(found) == 1
