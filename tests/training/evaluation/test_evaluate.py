"""``python -m training evaluate``: which rows count, and files that are not what they should be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ferserve.models.spec import METADATA_KEY
from ferserve.models.store import BUNDLED_DIR
from tests.training.emotion_lite.sets import Arrays, make_faces
from training import __main__ as command
from training.errors import DataError
from training.evaluation.evaluate import evaluate, to_json, to_text
from training.evaluation.labelled import load_labelled

MODEL = BUNDLED_DIR / "emotion-lite.onnx"
ROWS = 30


def written(path: Path, **arrays: NDArray[Any]) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path / "faces.npz", **make_faces(ROWS))


def test_splits_follow_usage(data: Path) -> None:
    assert len(load_labelled(data, "fer2013").truth) == 10
    assert len(load_labelled(data, "fer2013", "train").truth) == 20
    assert len(load_labelled(data, "fer2013", "all").truth) == 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.clear(), "arrays must hold 'images', got only none"),
        (lambda a: a.pop("ferplus_votes"), "arrays must hold 'ferplus_votes'"),
        (lambda a: a.update(images=a["images"].astype(np.float32)), "images must be uint8"),
        (lambda a: a.update(images=a["images"][:, :0]), "images must be uint8"),
        (lambda a: a.update(images=np.uint8(1)), "images must be uint8"),
        (lambda a: a.update(ferplus_votes=a["ferplus_votes"][1:]), "must have 30 rows"),
        (lambda a: a.update(ferplus_votes=np.uint8(1)), "must have 30 rows, one for each image, got a single number"),
        (lambda a: a.update(ferplus_votes=a["ferplus_votes"][:, :8]), r"shape \(30, 10\), got uint8 \(30, 8\)"),
        (lambda a: a.update(ferplus_votes=a["ferplus_votes"] / 10), "whole numbers from 0 to 255, got 0.8"),
        (lambda a: a.update(ferplus_votes=0 * a["ferplus_votes"]), "at least one row"),
        (lambda a: a.update(ferplus_votes=np.tile(np.eye(10, dtype=np.uint8)[8], (ROWS, 1))), "at least one row"),
        (lambda a: a.update(usage=np.array(["train"] * ROWS)), "usage must be numbers"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, change: Callable[[Arrays], None], message: str) -> None:
    arrays = make_faces(ROWS)
    change(arrays)
    with pytest.raises(DataError, match=message):
        load_labelled(written(tmp_path / "faces.npz", **arrays), "ferplus")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(ROWS), "labels must be whole numbers from 0 to 6, got 7"),
        (np.full(ROWS, np.nan), "labels must be whole numbers from 0 to 6, got nan"),
        (np.zeros((ROWS, 1), np.uint8), r"labels must be numbers of shape \(30,\), got uint8 \(30, 1\)"),
        (np.array(["happy"] * ROWS), "labels must be numbers"),
    ],
)
def test_labels_that_are_none_are_named(tmp_path: Path, labels: NDArray[Any], message: str) -> None:
    path = written(tmp_path / "faces.npz", images=make_faces(ROWS)["images"], labels=labels)
    with pytest.raises(DataError, match=message):
        load_labelled(path, "fer2013")


def test_a_file_that_is_no_archive_is_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.npz").write_bytes(data.read_bytes()[:1000])
    (tmp_path / "text.npz").write_text("hello")
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("cut.npz", "text.npz", "array.npy", "nowhere.npz"):
        with pytest.raises(DataError, match="data must be a whole npz file") as refused:
            load_labelled(tmp_path / name, "fer2013")
        assert "\n" not in str(refused.value)


def test_a_file_in_which_no_taggers_agree_is_measured_and_printed_as_json(tmp_path: Path) -> None:
    """JSON knows no NaN."""
    votes = np.eye(10, dtype=np.uint8)[np.arange(ROWS) % 8]
    path = written(tmp_path / "faces.npz", images=make_faces(ROWS)["images"], ferplus_votes=votes)
    found = json.loads(to_json(evaluate(MODEL, path, "ferplus", seconds=0.0)))
    assert (found["rows"], found["agreed_rows"], found["agreed_accuracy"]) == (ROWS, 0, None)
    assert 0 <= found["sure_share"] <= 1
    assert "scores" not in found, "they stand beside the rest"


def test_only_taggers_agree_or_not(data: Path) -> None:
    assert "where agreed" in to_text(evaluate(MODEL, data, "ferplus", seconds=0.0))
    assert "where agreed" not in to_text(evaluate(MODEL, data, "fer2013", seconds=0.0))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere.onnx", None, "model must be a file that exists"),
        ("text.onnx", b"this is no graph", "must be an ONNX file"),
    ],
)
def test_a_model_that_is_none_is_said_in_one_line(
    name: str, content: bytes | None, message: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert command.main(["evaluate", str(tmp_path / name), "--data", str(data)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda spec: spec["heads"][0].update(output="nowhere"), "heads[emotion].output must be one of"),
        (lambda spec: spec["heads"][3].update(output="emotion"), "heads[clarity].labels must be as many as"),
        (lambda spec: spec["input"].update(name="pixels"), "input.name must be the graph's only input"),
        (lambda spec: spec["input"].update(height=64), "input must have the graph's shape"),
        (lambda spec: spec["input"].update(dtype="uint8"), "input.dtype must be the graph's float32"),
        (lambda spec: spec["input"].update(scale="none"), "input.scale must be a finite number, got 'none'"),
        (lambda spec: spec["input"].update(mean=[float("nan")]), "input.mean must be finite"),
    ],
)
def test_a_model_whose_spec_is_not_its_own_is_said_in_one_line(
    change: Callable[[Any], None], message: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx = pytest.importorskip("onnx")
    model, path = onnx.load(MODEL), tmp_path / "other.onnx"
    (entry,) = (entry for entry in model.metadata_props if entry.key == METADATA_KEY)
    spec = json.loads(entry.value)
    change(spec)
    entry.value = json.dumps(spec)
    onnx.save(model, path)
    assert command.main(["evaluate", str(path), "--data", str(data)]) == 2
    said = capsys.readouterr().err
    assert str(path) in said
    assert message in said
    assert said.count("\n") == 1


def test_a_folder_that_says_nothing_of_its_run_names_its_files(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["evaluate", str(BUNDLED_DIR), "--data", str(data)]) == 2
    said = capsys.readouterr().err
    assert (
        "without run.json; name one of its files instead: emotion-lite-int8.onnx, emotion-lite.onnx, face-lite.onnx"
        in said
    )
    assert said.count("\n") == 1


@pytest.mark.parametrize("command_line", [("export", "{}"), ("compress", "{}", "--data", "{}")])
def test_a_folder_of_another_kind_of_run_names_its_files(
    command_line: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "emotion-lite.onnx").write_bytes(b"")
    assert command.main([word.format(tmp_path) for word in command_line]) == 2
    said = capsys.readouterr().err
    assert "with model.onnx, got emotion-lite.onnx" in said
    assert said.count("\n") == 1


@pytest.mark.timeout(240)
@pytest.mark.parametrize("tool", ["card", "ablation"])
def test_a_tool_of_the_recipe_names_what_is_wrong_in_one_line(tool: str, tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="training needs the training extra")
    arguments = {"card": [BUNDLED_DIR], "ablation": ["--out", tmp_path, "--processes", "1"]}[tool]
    line = [
        sys.executable,
        "-m",
        f"training.emotion_lite.{tool}",
        *map(str, arguments),
        "--data",
        str(tmp_path / "none.npz"),
    ]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "data must be a whole npz file" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_detector_is_no_model(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["evaluate", str(BUNDLED_DIR / "face-lite.onnx"), "--data", str(data)]) == 2
    assert "must be a model that classifies faces, got a face detector" in capsys.readouterr().err
