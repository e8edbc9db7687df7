"""What the training and the measuring of face-lite refuse: one line that names the file and the way out."""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferserve.errors import ModelSpecError
from ferserve.models.store import BUNDLED_DIR
from training.__main__ import main as train
from training.errors import DataError, in_one_line
from training.face_lite.photographs import drawn_boxes, labelled_names, require_both_parts
from training.face_lite.reports import clips, report
from training.face_lite.teacher import Teacher

MODEL = str(BUNDLED_DIR / "face-lite.onnx")


@pytest.mark.parametrize("text", ["[", '[{"image": "a.jpg"}]', '[{"image": "a.jpg", "boxes": [["x"]]}]', "[3]"])
def test_boxes_of_another_form_name_their_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(DataError, match=r"boxes\.json: file must be a JSON list of objects .*; take it out"):
        drawn_boxes(tmp_path)


def test_boxes_are_found_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "streets").mkdir()
    (tmp_path / "streets" / "boxes.json").write_text('[{"image": "a.jpg", "boxes": [[1, 2, 3, 4, "face"]]}]')
    np.testing.assert_array_equal(drawn_boxes(tmp_path)["streets/a.jpg"], [[1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("read", "name", "error", "words"),
    [
        (Teacher, "yunet.onnx", ModelSpecError, "must be YuNet's ONNX file, .*`ferserve models pull yunet`"),
        (labelled_names, "labels.npz", DataError, r"file must be labels\.npz of a run of face_lite"),
    ],
)
def test_another_file_in_its_place_is_named(
    read: Callable[[Path], object], name: str, error: type[Exception], words: str, tmp_path: Path
) -> None:
    for content in (b"something else", None):
        path = tmp_path / name
        path.unlink(missing_ok=True)
        if content:
            path.write_bytes(content)
        with pytest.raises(error, match=rf"{name}:? {words}"):
            read(path)


def test_photographs_must_be_enough_for_both_parts() -> None:
    require_both_parts([f"{i}.jpg" for i in range(100)])
    with pytest.raises(DataError, match=r"some that train and some that are kept out .*, got 0 and 0; add JPEG"):
        require_both_parts([])


def test_a_folder_without_photographs_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert train(["run", "face_lite", "--data", str(tmp_path), "--out", str(out)]) == 2
    assert "photographs must be some that train" in capsys.readouterr().err
    assert not (out / "labels.npz").exists()


@pytest.mark.parametrize("name", ["a.jpg", "b.mp4"])
def test_a_picture_that_is_none_ends_the_measuring_in_one_line(
    name: str, yunet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(b"no picture")
    more = ["--colour", str(tmp_path)] if name == "a.jpg" else [str(tmp_path / name)]
    monkeypatch.setattr(sys, "argv", ["measure", "--model", MODEL, "--yunet", str(yunet_file), *more])
    assert in_one_line(report.main if name == "a.jpg" else clips.main) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: {tmp_path / name}: ")


def test_a_report_on_photographs_in_colour(
    yunet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from skimage import data

    cv2.imwrite(str(tmp_path / "astronaut.png"), cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR))
    asked = ["--colour", str(tmp_path), "--sides", "320"]
    monkeypatch.setattr(sys, "argv", ["report", "--model", MODEL, "--yunet", str(yunet_file), *asked])
    assert in_one_line(report.main) == 0
    assert "| face-lite | 1.000 of 1 |  | 1.000 of 1 |" in capsys.readouterr().out


def test_a_report_on_nothing_is_refused(
    yunet_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["report", "--model", MODEL, "--yunet", str(yunet_file)])
    with pytest.raises(SystemExit):
        report.main()
    assert "photographs must be given by --data with --labels, or by --colour" in capsys.readouterr().err
