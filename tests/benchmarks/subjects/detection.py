"""What it costs to find faces, one thread: face-lite from luma to boxes, against its graph alone."""

from __future__ import annotations

import cv2
import numpy as np

from ferserve.detection.base import detection_size
from ferserve.detection.factory import open_face_lite, read_detector_spec
from ferserve.models.store import BUNDLED_DIR
from ferserve.runtime import open_session
from tests.benchmarks.subjects.subject import Subject, Work
from tests.builders import scene

FACE_LITE = BUNDLED_DIR / "face-lite.onnx"
SIZES = ((320, 240), (160, 120), (640, 480))


def frame(width: int, height: int) -> np.ndarray:
    """A face, BGR."""
    return np.asarray(cv2.resize(scene(), (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def face_lite(width: int, height: int) -> Work:
    """The scale is the picture's own."""
    cv2.setNumThreads(1)
    detector = open_face_lite(FACE_LITE)()
    session, spec = open_session(FACE_LITE), read_detector_spec(FACE_LITE)
    luma = cv2.cvtColor(frame(width, height), cv2.COLOR_BGR2GRAY)
    side = max(width, height)
    feeds = {spec.input: np.zeros((1, 1, *detection_size(height, width, side)), np.uint8)}
    ours = lambda: detector.detect(luma, side_px=side, min_score=0.5)  # noqa: E731
    assert len(ours()) == 1
    session.run(feeds)
    return Work(ours, lambda: session.run(feeds), runs_on=session.runs_on)


SUBJECTS = [
    Subject("detection", f"face-lite, {w}x{h}", lambda _, w=w, h=h: face_lite(w, h), "its graph alone", heavy=w > 320)  # type: ignore[misc]
    for w, h in SIZES
]
