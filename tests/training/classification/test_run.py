"""The command line, the splits, and the way from a run to an answer of the product."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError
from ferserve.labels import FER2013
from ferserve.types import Crops, EncodedImage, Frame
from tests.training import sets
from training.__main__ import main
from training.classification.manifest import parts_of_run, write_manifest
from training.classification.prepare import prepare
from training.classification.split import split_off, thin_out
from training.common.export import compare, export_onnx, keras_outputs, read_spec
from training.common.pixels import PixelRows
from training.data.faces import load_faces
from training.data.fer2013 import load_fer2013
from training.data.folders import load_folders
from training.data.jaffe import load_jaffe
from training.errors import DataError, ExportError
from training.evaluation.evaluate_run import predict_file
from training.recipe import RunOptions, get_recipe

FirstEpoch = Callable[[str, Path], Path]


def test_a_run_is_served_at_once_with_the_answers_of_keras(first_epoch: FirstEpoch, tmp_path: Path) -> None:
    out = first_epoch("fer2013_cnn3", tmp_path / "out")
    face = sets.pattern(3, np.random.default_rng(9))
    png = BytesIO()
    Image.fromarray(face).save(png, "PNG")
    with Engine(EngineConfig(model=str(out / "model.onnx"), detector="none", threads=1)) as engine:
        (answer,) = engine.classify(Frame(1, Crops((EncodedImage(png.getvalue()),)))).faces
    spec = read_spec(out / "model.onnx")
    rows = PixelRows(face[np.newaxis], spec.input).take(np.asarray([0]))
    expected = keras.models.load_model(out / "model.keras").predict_on_batch(rows)[0]
    assert answer.heads[0].labels == FER2013
    np.testing.assert_allclose(answer.heads[0].probabilities, expected, atol=1e-4)
    h5 = keras.models.load_model(out / "model.h5", compile=False).predict_on_batch(rows)[0]
    np.testing.assert_allclose(h5, expected, atol=1e-6)
    weights = 4 * 63_431
    assert (out / "model.keras").stat().st_size < 1.5 * weights, "the optimiser must not come along"


def test_a_network_learns_what_can_be_learnt(tmp_path: Path) -> None:
    """Stripes of seven directions: far above chance after a few epochs, so training does train."""
    data, out = sets.fer2013_csv(tmp_path / "data", per_class=40, tests_per_class=4), tmp_path / "out"
    assert main(["run", "fer2013_cnn3", "--data", str(data), "--out", str(out), "--epochs", "12"]) == 0
    metrics = read_spec(out / "model.onnx").metrics
    assert metrics["fer2013/public_test/accuracy"] > 0.9
    assert metrics["fer2013/private_test/accuracy"] > 0.9


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["run", "fer2013_cn3", "--data", "x"], "did you mean fer2013_cnn3?"),
        (["run", "jaffe_vgg16", "--data", "x", "--balanced"], "balanced must be left out for recipe jaffe_vgg16"),
        (["run", "fer2013_cnn3", "--data", "x", "--task", "gender"], "task must be left out"),
        (["run", "emotion_lite", "--data", "x", "--balanced"], "balanced must be left out for recipe emotion_lite"),
        (["run", "emotion_lite", "--data", "x", "--split-by", "image"], "split_by must be left out"),
        (["run", "emotion_lite", "--data", "x", "--task", "all"], "task must be left out"),
        (["run", "emotion_lite", "--data", "x", "--weights", "imagenet"], "weights must be none or a file"),
        (["run", "face_lite", "--data", "x", "--faces", "y"], "faces must be left out for recipe face_lite, got y"),
        (["run", "face_lite", "--data", ".", "--weights", "imagenet"], "weights must be none or a file"),
        (["run", "fer2013_cnn3", "--data", "x", "--epochs", "0"], "epochs must be at least 1, got 0"),
        (["run", "fer2013_cnn3", "--data", "x", "--seed", "-1"], "seed must be from 0 to 2147483647, got -1"),
        (["compress", "x", "--data", "x", "--channels", "1.5"], "channels must be from 0 to below 1, got 1.5"),
        (["compress", "x", "--data", "x", "--sparsity", "-0.1"], "sparsity must be from 0 to below 1, got -0.1"),
        (["compress", "x", "--data", "x", "--epochs", "-1"], "epochs must be at least 0, got -1"),
        (["run", "faces_resnet18", "--data", "x", "--split-by", "moon"], "split_by must be person or image"),
        (["run", "fer2013_cnn3", "--data", "nowhere.csv"], "got nothing there; to get it: kaggle"),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_2(
    argv: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_list_names_every_recipe_without_loading_tensorflow() -> None:
    code = (
        "import sys; from training.__main__ import main; rc = main(['list']);"
        "sys.exit(rc or 'tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    begin = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begin < 30
    for name in ("jaffe_vgg16", "fer2013_cnn_best", "faces_resnext50", "three_vgg16", "light_fer"):
        assert name in done.stdout


def test_persons_stay_on_one_side_unless_asked_otherwise(tmp_path: Path) -> None:
    samples = load_faces(sets.faces(tmp_path, persons=10))
    rest, part = split_off(samples, 0.3, seed=1)
    assert rest.subject is not None
    assert part.subject is not None
    assert set(rest.subject).isdisjoint(part.subject)
    assert len(part) == 18
    rest, part = split_off(samples, 0.3, seed=1, by="image")
    assert set(rest.subject) & set(part.subject)  # type: ignore[arg-type]
    assert part.counts() == dict.fromkeys(samples.labels["emotion"], 3)


def test_one_subject_cannot_be_split_by_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = sets.jaffe(tmp_path / "jaffe", subjects=("KA",), poses=2)
    with pytest.raises(DataError, match=r"KA\.AN1\.1\.tiff: split by .* 2 persons, got 1 \(KA\).*--split-by image"):
        split_off(load_jaffe(data), 0.2, seed=1)
    argv = ["run", "jaffe_vgg16", "--data", str(data), "--out", str(tmp_path / "o"), "--weights", "none"]
    assert main([*argv, "--split-by", "person"]) == 2
    assert "split by person must have at least 2 persons" in capsys.readouterr().err


def test_a_class_of_one_image_cannot_be_held_out(tmp_path: Path) -> None:
    samples = load_fer2013(sets.fer2013_csv(tmp_path, per_class=1, tests_per_class=1)).samples()
    with pytest.raises(DataError, match="split must leave images on both sides, got 0 of 7"):
        split_off(samples.select(samples.split == "train"), 0.2, seed=1)


def test_a_limit_thins_every_class_alike(tmp_path: Path) -> None:
    samples = load_fer2013(sets.fer2013_csv(tmp_path, per_class=6)).samples()
    assert thin_out(samples, 14, seed=1).counts() == dict.fromkeys(FER2013, 2)
    assert thin_out(samples, None, seed=1) is samples


def test_a_file_that_answers_otherwise_than_keras_is_not_written(first_epoch: FirstEpoch, tmp_path: Path) -> None:
    folder = first_epoch("fer2013_dense", tmp_path / "out")
    spec = read_spec(folder / "model.onnx")
    model = keras.models.load_model(folder / "model.keras")
    rows = np.random.default_rng(1).random((4, 48, 48, 1), np.float32)
    wrong = [answer + 0.01 for answer in keras_outputs(model, rows, spec)]
    with pytest.raises(ExportError, match=r"model\.onnx: answers must equal Keras within 0\.0001, got 0\.01"):
        compare(folder / "model.onnx", rows, wrong, spec)
    assert export_onnx(model, tmp_path / "again.onnx", spec, rows) < 1e-5
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["again.onnx"]


def test_no_number_in_a_later_head_is_a_difference_too(first_epoch: FirstEpoch, tmp_path: Path) -> None:
    folder = first_epoch("fer2013_dense", tmp_path / "out")
    spec = read_spec(folder / "model.onnx")
    rows = np.random.default_rng(1).random((4, 48, 48, 1), np.float32)
    expected = keras_outputs(keras.models.load_model(folder / "model.keras"), rows, spec)
    twice = replace(spec, heads=(spec.heads[0], replace(spec.heads[0], name="again")))
    assert compare(folder / "model.onnx", rows, expected * 2, twice) < 1e-5
    with pytest.raises(ExportError, match="got nan apart"):
        compare(folder / "model.onnx", rows, [*expected, expected[0] * np.nan], twice)


@pytest.mark.timeout(240)
def test_evaluate_refuses_data_with_other_labels_and_takes_them_in_any_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = sets.class_folders(tmp_path / "data", FER2013, per_class=10), tmp_path / "out"
    assert main(["run", "fer2013_dense", "--data", str(data), "--out", str(out), "--epochs", "1"]) == 0
    other = sets.class_folders(tmp_path / "other", (*FER2013[:6], "bored"), per_class=10)
    assert main(["evaluate", str(out), "--data", str(other)]) == 2
    said = capsys.readouterr().err
    assert f"labels of head emotion must be {', '.join(sorted(FER2013))} as {out / 'model.onnx'} has them" in said
    assert "got angry, bored, disgust" in said
    assert main(["compress", str(out), "--data", str(other), "--epochs", "0"]) == 2
    assert "in this order" in capsys.readouterr().err

    model, spec = out / "model.onnx", read_spec(out / "model.onnx")
    samples = load_folders(data)
    turned = replace(
        samples,
        labels={"emotion": samples.labels["emotion"][::-1]},
        targets={"emotion": 6 - samples.targets["emotion"]},
    )
    straight, reverse = (predict_file(model, spec, one)["emotion"] for one in (samples, turned))
    np.testing.assert_array_equal(6 - reverse.predicted, straight.predicted)
    assert reverse.accuracy == straight.accuracy


def test_evaluate_judges_a_run_on_the_images_that_it_held_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = sets.fer2013_csv(tmp_path / "data", per_class=6), tmp_path / "out"
    assert main(["run", "fer2013_dense", "--data", str(data), "--out", str(out), "--epochs", "2", "--balanced"]) == 0
    assert read_spec(out / "model.onnx").heads[0].labels == tuple(name for name in FER2013 if name != "disgust")
    report = json.loads((out / "report.json").read_text())["parts"]
    capsys.readouterr()
    assert main(["evaluate", str(out), "--data", str(data), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(told) == {"public_test", "private_test"}
    for part, heads in told.items():
        assert heads["emotion"] == report[part]["emotion"]
    assert main(["evaluate", str(out), "--data", str(data)]) == 0
    assert "private_test, emotion:\n" in capsys.readouterr().out
    assert main(["evaluate", str(out), "--data", str(data), "--head", "fer2013"]) == 2
    assert "head, labels, split, flip and end-to-end must be left out for a run" in capsys.readouterr().err


@pytest.mark.parametrize("options", [{"seed": 3, "split_by": "image", "task": "gender"}, {"seed": 4, "limit": 9}])
def test_later_commands_divide_the_images_as_the_run_did(options: dict[str, Any], tmp_path: Path) -> None:
    data = sets.faces(tmp_path / "data", persons=9)
    chosen = RunOptions(data, tmp_path, **options)
    recipe = get_recipe("faces_resnet18")
    write_manifest(recipe.name, chosen)
    first, (_, again) = prepare(recipe, chosen), parts_of_run(tmp_path, data)
    assert again.train.places.tolist() == first.train.places.tolist()
    assert again.tests["test"].places.tolist() == first.tests["test"].places.tolist()
    assert again.train.labels == first.train.labels
    with pytest.raises(ConfigError, match=r"run must be the folder of a run, got .*data without run\.json"):
        parts_of_run(data, data)


@pytest.mark.parametrize(
    "argv", [["compress", "nowhere", "--data", "x"], ["export", "nowhere"], ["evaluate", "nowhere.onnx", "--data", "x"]]
)
def test_a_model_that_is_not_there_is_one_line(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert "model must be a file that exists and can be reached, got " in error
    assert error.count("\n") == 1


def test_a_missing_package_is_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['keras'] = None; from training.__main__ import main; sys.exit(main(sys.argv[1:]))"
    argv = [sys.executable, "-c", code, "run", "fer2013_dense", "--data", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: package keras must be installed for this, got none: pip install '.[training]'\n"


def test_recipes_are_found_by_name_only() -> None:
    with pytest.raises(ConfigError, match="recipe must be one of"):
        get_recipe("nothing")
