"""Models are found by name and say what they are."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from ferserve.errors import ModelNotFoundError, ModelSpecError
from ferserve.models.spec import ModelSpec
from ferserve.models.store import BUNDLED_DIR, ModelStore, open_model_file
from tests.tiny_models import brightness_spec, write_brightness_model


def test_bundled_models_are_there_and_whole() -> None:
    model = ModelStore().get("emotion-lite")
    assert model.spec.heads[0].labels[:2] == ("neutral", "happiness")
    assert model.sha256 == hashlib.sha256(model.path.read_bytes()).hexdigest()
    assert model.path.stat().st_size < 8_000_000
    assert model.path.with_suffix(".md").is_file(), "a bundled model needs its card"


def test_a_folder_adds_to_the_bundled_models(tmp_path: Path) -> None:
    write_brightness_model(tmp_path / "one.onnx")
    store = ModelStore(tmp_path)
    assert {"emotion-lite", "one"} <= {m.spec.name for m in store.models()}


def test_a_sidecar_speaks_for_a_file_that_does_not(tmp_path: Path) -> None:
    path = write_brightness_model(tmp_path / "foreign.onnx", embed=False)
    (tmp_path / "foreign.json").write_text(brightness_spec("theirs").to_json())
    assert open_model_file(path).spec == brightness_spec("theirs")


def test_a_detector_is_no_classifier() -> None:
    with pytest.raises(ModelSpecError, match=r"classifies faces, got a face detector; engine\.detector chooses"):
        open_model_file(BUNDLED_DIR / "face-lite.onnx")


def test_a_file_that_says_nothing_is_refused_with_json_that_works(tmp_path: Path) -> None:
    path = write_brightness_model(tmp_path / "mute.onnx", embed=False)
    with pytest.raises(ModelSpecError, match="must have a spec") as caught:
        open_model_file(path)
    text = str(caught.value).split("\n", 1)[1]
    assert ModelSpec.from_json(text).name == "mute"
    assert json.loads(text)["heads"]


def test_two_files_of_one_name_are_refused_but_a_named_path_wins(tmp_path: Path) -> None:
    one = write_brightness_model(tmp_path / "one.onnx", brightness_spec("emotion-lite"))
    with pytest.raises(ModelSpecError, match=r"spec\.name must be unique, got 'emotion-lite'"):
        ModelStore(tmp_path)
    store = ModelStore()
    assert store.add(one) is store.get("emotion-lite")
    assert store.add(tmp_path).path == one


def test_a_folder_may_hold_several_forms_of_one_model(tmp_path: Path) -> None:
    small = write_brightness_model(tmp_path / "mine-int8.onnx", brightness_spec("mine-int8"))
    plain = write_brightness_model(tmp_path / "mine.onnx", brightness_spec("mine"))
    store = ModelStore()
    assert store.add(tmp_path) is store.get("mine")
    assert (store.get("mine").path, store.get("mine-int8").path) == (plain, small)
    write_brightness_model(tmp_path / "other.onnx", brightness_spec("other"))
    with pytest.raises(ModelNotFoundError, match=r"got mine\.onnx, other\.onnx, mine-int8\.onnx in"):
        store.add(tmp_path)


def test_names_too_long_for_a_file_are_no_stack_trace(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="must be a file that exists and can be reached"):
        ModelStore().add(tmp_path / f"{'x' * 300}.onnx")
    with pytest.raises(ModelNotFoundError, match="must be a folder that exists and can be reached"):
        ModelStore(tmp_path / ("x" * 300))
    mute = write_brightness_model(tmp_path / ("x" * 255), embed=False)  # no file NAME.json can stand beside it
    with pytest.raises(ModelSpecError, match="must have a spec"):
        ModelStore().add(mute)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_may_not_be_entered_is_no_stack_trace(tmp_path: Path) -> None:
    path = write_brightness_model(tmp_path / "x.onnx")
    tmp_path.chmod(0)
    try:
        with pytest.raises(ModelNotFoundError, match="must be a file that exists and can be reached"):
            ModelStore().add(path)
    finally:
        tmp_path.chmod(0o700)


def test_a_sidecar_that_cannot_be_read_is_no_stack_trace(tmp_path: Path) -> None:
    with pytest.raises(ModelSpecError, match="must be a readable file, got Is a directory"):
        ModelSpec.from_sidecar(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a model at all"])
def test_files_that_are_no_models(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelSpecError, match="must be an ONNX file"):
        open_model_file(path)


def test_unknown_names_and_paths_are_told_apart(tmp_path: Path) -> None:
    store = ModelStore()
    with pytest.raises(ModelNotFoundError, match="did you mean 'emotion-lite'"):
        store.get("emotion-light")
    with pytest.raises(ModelNotFoundError, match="must be a file that exists"):
        store.add(tmp_path / "none.onnx")
    with pytest.raises(ModelNotFoundError, match="got no ONNX file in"):
        store.add(tmp_path)
    with pytest.raises(ModelNotFoundError, match="model_dir must be a folder"):
        ModelStore(tmp_path / "none")
