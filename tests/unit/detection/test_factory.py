"""The choice of a detector by name, and what its weights must say."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ferserve.detection.factory import open_detector, open_face_lite, read_detector_spec
from ferserve.errors import ConfigError, ModelNotFoundError, ModelSpecError
from ferserve.models.detector_spec import DETECTOR_METADATA_KEY, DetectorSpec
from ferserve.models.store import BUNDLED_DIR
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


def test_a_classifier_is_no_detector(tmp_path: Path) -> None:
    path = write_brightness_model(tmp_path / "brightness.onnx")
    with pytest.raises(ModelSpecError, match=f"must be a detector, got no metadata '{DETECTOR_METADATA_KEY}'"):
        open_face_lite(path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([15, 20], r"must give 15 rows or more .* got \(15, 20\) in the place of \(15, 21\) for 32x32 px"),
        ([14, 21], r"got \(14, 21\) in the place of"),
        ([15, 3, 7], r"got \(15, 3, 7\) in the place of"),
    ],
)
def test_a_graph_that_gives_other_cells_is_refused_at_once(tmp_path: Path, shape: list[int], message: str) -> None:
    with pytest.raises(ModelSpecError, match=message):
        open_face_lite(_write_constant_detector(tmp_path / "odd.onnx", shape))


def test_a_graph_of_one_size_is_refused_at_once(tmp_path: Path) -> None:
    path = _write_constant_detector(tmp_path / "fixed.onnx", [15, 21], side=64)
    with pytest.raises(ModelSpecError, match=r"fixed\.onnx must give 15 rows .* at any size, got, for 32x32 px: "):
        open_face_lite(path)


def test_a_detector_of_ones_own_is_opened(tmp_path: Path) -> None:
    detector = open_face_lite(_write_constant_detector(tmp_path / "own.onnx", [15, 21]))()
    assert detector.name == "own"
    assert len(detector.detect(np.zeros((20, 30), np.uint8), side_px=0, min_score=0.6)) == 0


def _write_constant_detector(path: Path, shape: list[int], side: int | None = None) -> Path:
    """A graph whose every answer is zeros of ``shape``, for pictures of any size or of ``side`` px."""
    size = side or "size"
    nodes = [
        helper.make_node("Cast", ["luma"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMin", ["pixels"], ["least"], keepdims=0),
        helper.make_node("Mul", ["least", "zeros"], ["cells"]),
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("luma", TensorProto.UINT8, [1, 1, size, size])],
        [helper.make_tensor_value_info("cells", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.zeros(shape, np.float32), "zeros")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {DETECTOR_METADATA_KEY: DetectorSpec("own", "1").to_json()})
    onnx.save(model, path)
    return path


def test_a_spec_survives_its_json() -> None:
    spec = DetectorSpec("d", "2", strides=(4, 8), license="MIT", metrics={"a/b/c": 0.5}, trained_on=("x",))
    assert DetectorSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be valid JSON"),
        ("[]", "must be a JSON object, got list"),
        ('{"name": "d"}', "detector.version must be given, got nothing"),
        ('{"name": "d", "version": null}', "detector.version must be a non-empty string, got None"),
        ('{"name": "d", "version": "1", "metrics": {"a": true}}', "detector.metrics must be finite numbers by name"),
        ('{"name": "d", "version": "1", "metrics": {"a": NaN}}', "detector.metrics must be finite .*, got"),
        ('{"name": 5, "version": "1"}', "detector.name must be a non-empty string, got 5"),
        ('{"name": "d", "version": "1", "input": 3}', "detector.input must be a non-empty string, got 3"),
        ('{"name": "d", "version": "1", "license": 7}', "detector.license must be a string, got 7"),
        ('{"name": "d", "version": "1", "strides": 8}', "detector.strides must be whole numbers from 1 to 256, got 8"),
        ('{"name": "d", "version": "1", "strides": [true]}', "detector.strides must be whole numbers"),
        ('{"name": "d", "version": "1", "trained_on": "x"}', "detector.trained_on must be strings, got 'x'"),
        ('{"name": "d", "version": "1", "metrics": {"a": "b"}}', "detector.metrics must be finite numbers by name"),
        ('{"name": "", "version": "1"}', "detector.name must be a non-empty string"),
        ('{"name": "d", "version": "1", "strides": [8, 12]}', "detector.strides must be divisors of the largest"),
        ('{"name": "d", "version": "1", "strides": []}', "detector.strides must be whole numbers"),
        ('{"name": "d", "version": "1", "speed": 1}', "speed must be one of"),
        ('{"name": "d", "version": "1", "schema_version": 9}', "schema_version must be 1"),
    ],
)
def test_a_spec_that_is_wrong_names_the_field(text: str, message: str) -> None:
    with pytest.raises(ModelSpecError, match=message):
        DetectorSpec.from_json(text)
