"""OpenCV's YuNet behind the interface of every detector; needs its weights."""

from pathlib import Path

import numpy as np
import pytest

from ferserve.detection.factory import open_detector
from ferserve.detection.yunet import YuNetDetector
from tests.builders import ASTRONAUT_FACE, astronaut


def test_yunet_finds_the_astronaut_in_colour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, yunet_file: Path) -> None:
    from ferserve.models.pull import pull_model

    pull_model("yunet", yunet_file, tmp_path)
    monkeypatch.setenv("FERSERVE_PULL_DIR", str(tmp_path))
    detector = open_detector("yunet")()
    assert detector is not None
    assert detector.wants_color
    found = detector.detect(np.ascontiguousarray(astronaut()), side_px=320, min_score=0.6)
    assert len(found) == 1
    assert found.landmarks is not None
    np.testing.assert_allclose(found.xyxy[0], ASTRONAUT_FACE, atol=25)
    assert len(detector.detect(np.zeros((1, 1, 3), np.uint8), side_px=0, min_score=0.5)) == 0


@pytest.mark.parametrize("shape", [(0, 9), (9, 0), (9,), (9, 9, 1), (9, 9, 3, 1), (1, 65536), (9, 9), (9, 9, 4)])
def test_an_image_of_another_form_is_refused(yunet_file: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"image must be BGR uint8 \(H, W, 3\) of 1 to 65535 px a side, got uint8"):
        YuNetDetector(str(yunet_file)).detect(np.zeros(shape, np.uint8), side_px=0, min_score=0.5)
