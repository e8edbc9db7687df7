"""face-lite in INT8 against itself."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from skimage import data

from ferserve.detection.factory import open_face_lite, read_detector_spec
from ferserve.models.store import BUNDLED_DIR
from training.face_lite.faces import Faces
from training.face_lite.photographs import Photograph
from training.face_lite.quantize import graph_ms, quantize_detector


def test_the_int8_form_finds_the_same_face_in_a_smaller_file(tmp_path: Path) -> None:
    source, target = BUNDLED_DIR / "face-lite.onnx", tmp_path / "int8.onnx"
    luma = np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY), np.uint8)
    quantize_detector(source, target, [Photograph("one.png", luma, Faces.empty())])
    found = [open_face_lite(path)().detect(luma, side_px=320, min_score=0.5) for path in (source, target)]
    assert [len(faces) for faces in found] == [1, 1]
    np.testing.assert_allclose(found[0].xyxy, found[1].xyxy, atol=8)
    assert target.stat().st_size < 0.7 * source.stat().st_size
    assert read_detector_spec(target) == read_detector_spec(source)
    assert min(graph_ms([source, target], 64, 64, rounds=2)) > 0
