"""``python -m training.emotion_lite.boxes``: how a detector's boxes lie on crops of faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from ferserve.detection.factory import open_detector
from tests.training.emotion_lite.sets import make_faces
from training.emotion_lite import boxes
from training.errors import DataError

LUMA: NDArray[np.uint8] = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
CENTRE, SIDE = (224, 118), 110  # px: about the astronaut's face


def crop(right: int = 0, side: int = SIDE) -> NDArray[np.uint8]:
    """The face, cut out ``right`` pixels further right."""
    x, y = CENTRE[0] + right - side // 2, CENTRE[1] - side // 2
    return np.asarray(cv2.resize(LUMA[y : y + side, x : x + side], (48, 48), interpolation=cv2.INTER_AREA), np.uint8)


def measured(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    detector = open_detector("face-lite")()
    assert detector
    found = boxes.compare(detector, image)
    assert found is not None
    return found


def test_a_crop_further_right_has_its_face_further_left() -> None:
    straight, moved = measured(crop()), measured(crop(right=11))
    assert moved[1] - straight[1] == pytest.approx(-11 / SIDE, abs=0.03)
    assert moved[2] - straight[2] == pytest.approx(0, abs=0.03)


def test_a_wider_crop_has_more_margin() -> None:
    straight, wider = measured(crop()), measured(crop(side=132))
    assert (1 + 2 * wider[0]) / (1 + 2 * straight[0]) == pytest.approx(1.2, abs=0.1)  # a box is itself sure to 5 %


def test_a_turned_head_rolls() -> None:
    turn = cv2.getRotationMatrix2D((24, 24), -12, 1.0)  # clockwise, as rows count downwards
    turned = cv2.warpAffine(crop(), turn, (48, 48), borderMode=cv2.BORDER_REPLICATE)
    assert measured(np.asarray(turned, np.uint8))[3] - measured(crop())[3] == pytest.approx(12, abs=4)


def test_the_table_counts_the_images_with_a_face(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = make_faces(30)
    images = np.zeros_like(arrays["images"])
    images[:] = crop()
    images[:5] = 128  # no face
    np.savez(tmp_path / "faces.npz", **{**arrays, "images": images, "usage": np.ones(30, np.uint8)})
    monkeypatch.setattr("sys.argv", ["boxes", "--data", str(tmp_path / "faces.npz"), "--limit", "20"])
    boxes.main()
    said = capsys.readouterr().out
    assert "found on 75% of 20 images" in said
    assert all(f"| {name} |" in said for name in boxes.QUANTITIES)
    monkeypatch.setattr("sys.argv", ["boxes", "--data", str(tmp_path / "faces.npz"), "--limit", "5"])
    with pytest.raises(DataError, match="images must show faces that the detector finds, got none in 5"):
        boxes.main()
