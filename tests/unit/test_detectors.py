"""The choice of a detector by name, and what its weights must say."""

from pathlib import Path

import numpy as np
import pytest

from ferserve.detector_spec import DETECTOR_METADATA_KEY, DetectorSpec
from ferserve.detectors import open_detector, open_face_lite, read_detector_spec
from ferserve.errors import ConfigError, ModelNotFoundError, ModelSpecError
from ferserve.model_store import BUNDLED_DIR
from tests.builders import ASTRONAUT_FACE, astronaut
from tests.tiny_models import write_brightness_model

BUNDLED = BUNDLED_DIR / "face-lite.onnx"


def test_the_bundled_detector_says_what_it_is() -> None:
    spec = read_detector_spec(BUNDLED)
    assert spec.name == "face-lite"
    assert spec.multiple == 32
    assert spec.license
    assert spec.trained_on
    assert BUNDLED.stat().st_size <= 400_000


def test_detectors_of_one_maker_do_not_share_their_buffers() -> None:
    make = open_face_lite(BUNDLED)
    first, second = make(), make()
    image = np.full((64, 64), 128, np.uint8)
    first.detect(image, side_px=0, min_score=0.5)
    assert first is not second
    assert len(second.detect(np.zeros((96, 32), np.uint8), side_px=0, min_score=0.5)) == 0


def test_none_makes_no_detector() -> None:
    assert open_detector("none")() is None


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"engine\.detector must be one of face-lite, yunet, none, got 'haar'"):
        open_detector("haar")


def test_yunet_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FERSERVE_PULL_DIR", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match="ferserve models pull yunet"):
        open_detector("yunet")


def test_yunet_finds_the_astronaut_in_colour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, yunet_file: Path) -> None:
    from ferserve.model_pull import pull_model

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


def test_a_classifier_is_no_detector(tmp_path: Path) -> None:
    path = write_brightness_model(tmp_path / "brightness.onnx")
    with pytest.raises(ModelSpecError, match=f"must be a detector, got no metadata '{DETECTOR_METADATA_KEY}'"):
        open_face_lite(path)


def test_a_spec_survives_its_json() -> None:
    spec = DetectorSpec("d", "2", strides=(4, 8), license="MIT", metrics={"a/b/c": 0.5}, trained_on=("x",))
    assert DetectorSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be valid JSON"),
        ("[]", "must be a JSON object, got list"),
        ('{"name": "d"}', "version"),
        ('{"name": "", "version": "1"}', "detector.name must be a non-empty string"),
        ('{"name": "d", "version": "1", "strides": [8, 12]}', "detector.strides must be parts of the largest"),
        ('{"name": "d", "version": "1", "strides": []}', "detector.strides must be whole numbers"),
        ('{"name": "d", "version": "1", "speed": 1}', "speed must be one of"),
        ('{"name": "d", "version": "1", "schema_version": 9}', "schema_version must be 1"),
    ],
)
def test_a_spec_that_is_wrong_names_the_field(text: str, message: str) -> None:
    with pytest.raises(ModelSpecError, match=message):
        DetectorSpec.from_json(text)
