"""Loaders read the real on-disk formats and refuse what is not whole, naming file and line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferserve.labels import FER2013, FERPLUS
from tests.training import sets
from training.data.affectnet import load_affectnet
from training.data.ckplus import load_ckplus
from training.data.faces import load_faces, load_task
from training.data.fer2013 import load_fer2013
from training.data.folders import load_folders
from training.data.jaffe import load_jaffe
from training.data.layout import load_any, load_study
from training.data.rafdb import load_rafdb
from training.data.samples import require_classes
from training.errors import DataError
from training.recipe import RunOptions


def edit_line(path: Path, number: int, change: Callable[[str], str]) -> None:
    """Rewrite one line, counted from 1."""
    lines = path.read_text().splitlines()
    lines[number - 1] = change(lines[number - 1])
    path.write_text("\n".join(lines) + "\n")


def test_fer2013_reads_the_same_from_csv_npz_and_folders(tmp_path: Path) -> None:
    from_csv = load_fer2013(sets.fer2013_csv(tmp_path / "csv", per_class=4, tests_per_class=2))
    from_npz = load_fer2013(sets.fer2013_npz(tmp_path, per_class=4, tests_per_class=2))
    from_folders = load_fer2013(sets.fer2013_folders(tmp_path / "folders", per_class=3))
    count = 7 * (4 + 2)
    np.testing.assert_array_equal(from_csv.images[:count], from_npz.images)
    np.testing.assert_array_equal(from_csv.labels[:count], from_npz.labels)
    assert from_csv.samples().counts() == dict.fromkeys(FER2013, 8)
    assert sorted(np.unique(from_folders.usage)) == [0, 1, 2]
    assert from_folders.samples().counts() == dict.fromkeys(FER2013, 9)


def test_columns_of_the_second_official_csv_may_begin_with_a_space(tmp_path: Path) -> None:
    path = sets.fer2013_csv(tmp_path)
    edit_line(path, 1, lambda line: "emotion, pixels, Usage")
    assert len(load_fer2013(path)) == 56


def test_ferplus_is_joined_by_row_whatever_its_file_names_say(tmp_path: Path) -> None:
    data = load_fer2013(sets.fer2013_csv(tmp_path, ferplus=True))
    assert data.votes is not None
    np.testing.assert_array_equal(data.votes[:, 0], data.labels)
    np.testing.assert_array_equal(data.votes.sum(axis=1), 10)


def test_ferplus_stays_in_step_when_a_corrupt_row_is_left_out(tmp_path: Path) -> None:
    path = sets.fer2013_csv(tmp_path, ferplus=True)
    edit_line(path, 5, lambda line: "3,12 13 14,Training")
    data = load_fer2013(path, skip_corrupt=True)
    assert len(data) == 55
    assert data.votes is not None
    np.testing.assert_array_equal(data.votes[:, 0], data.labels)
    assert data.faults == (f"{path}:5: pixels must be 2304 numbers, got 3; is the row cut?",)


def test_ferplus_of_other_length_or_order_is_refused(tmp_path: Path) -> None:
    path = sets.fer2013_csv(tmp_path, ferplus=True)
    votes = path.with_name("fer2013new.csv")
    whole = votes.read_text()
    votes.write_text("\n".join(whole.splitlines()[:-1]) + "\n")
    with pytest.raises(DataError, match=r"fer2013new\.csv: rows must be as many as in .* \(56\), got 55"):
        load_fer2013(path)
    votes.write_text(whole)
    edit_line(votes, 3, lambda line: line.replace("Training", "PublicTest"))
    with pytest.raises(DataError, match=r"fer2013new\.csv:3: Usage must be Training"):
        load_fer2013(path)


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "emotion,Usage", r"fer2013\.csv:1: columns must hold 'pixels', got emotion, Usage"),
        (4, "7,0 0,Training", r"fer2013\.csv:4: emotion must be from 0 to 6, got '7'"),
        (4, "sad,0 0,Training", r"fer2013\.csv:4: emotion must be from 0 to 6, got 'sad'"),
        (4, "3,0 0,Test", r"fer2013\.csv:4: Usage must be one of Training, PublicTest, PrivateTest, got 'Test'"),
        (4, "3,0 0 0,Training", r"fer2013\.csv:4: pixels must be 2304 numbers, got 3"),
        (4, "3," + "256 " * 2304 + ",Training", r"fer2013\.csv:4: pixels must be from 0 to 255, got 256 to 256"),
        (4, "3,a b,Training", r"fer2013\.csv:4: pixels must be whole numbers"),
        (4, "3", r"fer2013\.csv:4: Usage must be one of"),
    ],
)
def test_faults_of_the_csv_are_named_by_line(tmp_path: Path, line: int, text: str, message: str) -> None:
    path = sets.fer2013_csv(tmp_path)
    edit_line(path, line, lambda _: text)
    with pytest.raises(DataError, match=message):
        load_fer2013(path)


def test_a_csv_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = sets.fer2013_csv(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(gzip.compress(whole))
    with pytest.raises(DataError, match=r"fer2013\.csv:1: file must be CSV text, got 'utf-8' codec"):
        load_fer2013(path)
    path.write_bytes(b"\xef\xbb\xbf" + whole)  # as spreadsheets save it
    assert len(load_fer2013(path)) == 56


def test_faults_of_the_npz_are_named(tmp_path: Path) -> None:
    path = sets.fer2013_npz(tmp_path)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{name: arrays[name] for name in ("images", "usage")})
    with pytest.raises(DataError, match=r"fer2013\.npz: arrays must hold 'labels'"):
        load_fer2013(path)
    np.savez(path, **(arrays | {"labels": np.full_like(arrays["labels"], 9)}))
    with pytest.raises(DataError, match="labels must be whole numbers from 0 to 6, got 9 in row 0"):
        load_fer2013(path)
    np.savez(path, **(arrays | {"near_public_test": arrays["near_public_test"][1:]}))
    with pytest.raises(DataError, match="near_public_test must have 42 rows, one for each image, got 41"):
        load_fer2013(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"fer2013\.npz: data must be a whole npz file"):
        load_fer2013(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.r_[np.zeros(41), np.nan]}, "labels must be whole numbers from 0 to 6, got nan in row 41"),
        ({"labels": np.r_[np.zeros(40), 2.5, 0]}, "labels must be whole numbers from 0 to 6, got 2.5 in row 40"),
        ({"labels": np.asarray(["happy"] * 42)}, "labels must be numbers of shape"),
        ({"labels": np.uint8(3)}, "labels must have 42 rows, one for each image, got a single number"),
        ({"near_public_test": np.full(42, 2)}, "near_public_test must be whole numbers from 0 to 1, got 2"),
        ({"images": np.zeros((0, 48, 48), np.uint8)}, "images must be uint8 .* with at least one image, got"),
        ({"images": np.zeros((42, 96, 96), np.uint8)}, "images must be 48x48 px, got 96x96"),
        ({"ferplus_votes": np.zeros((42, 8), np.uint8)}, r"ferplus_votes must be numbers of shape \(42, 10\)"),
    ],
)
def test_an_npz_with_other_values_is_refused(change: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    path = sets.fer2013_npz(tmp_path)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **(arrays | change))
    with pytest.raises(DataError, match=message):
        load_any(path)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_masks_of_numbers_mean_what_masks_of_booleans_do(kind: type, tmp_path: Path) -> None:
    path = sets.fer2013_npz(tmp_path)
    expected = load_any(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    masks = {name: arrays[name].astype(kind) for name in ("near_private_test", "near_public_test")}
    np.savez(path, **(arrays | masks))
    samples = load_any(path)
    assert len(samples) == 40
    np.testing.assert_array_equal(np.asarray(samples.images), np.asarray(expected.images))


def test_truncated_image_is_named(tmp_path: Path) -> None:
    sets.fer2013_folders(tmp_path)
    victim = sorted((tmp_path / "train" / "fear").iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:200])
    with pytest.raises(DataError, match=f"{victim.name}: image must be a whole, readable file"):
        load_fer2013(tmp_path)
    assert victim.name in load_fer2013(tmp_path, skip_corrupt=True).faults[0]


def test_empty_class_is_named(tmp_path: Path) -> None:
    sets.fer2013_folders(tmp_path / "fer")
    for file in (tmp_path / "fer" / "train" / "sad").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"train/sad: class sad must have at least one image, got none"):
        load_fer2013(tmp_path / "fer")
    sets.class_folders(tmp_path / "three")
    for file in (tmp_path / "three" / "happy").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"three/happy: class happy must have at least one image, got none"):
        load_folders(tmp_path / "three", ("angry", "happy", "sad"))


def test_class_folder_that_is_none_of_the_work_is_refused(tmp_path: Path) -> None:
    sets.class_folders(tmp_path, ("angry", "happy", "sad", "bored"))
    with pytest.raises(DataError, match=r"bored: class must be one of angry, happy, sad, got bored"):
        load_folders(tmp_path, ("angry", "happy", "sad"))
    assert load_folders(tmp_path).labels["emotion"] == ("angry", "bored", "happy", "sad")


def test_balanced_leaves_disgust_out_and_evens_the_rest(tmp_path: Path) -> None:
    data = load_fer2013(sets.fer2013_csv(tmp_path, per_class=5))
    samples = data.balanced(per_class=3)
    assert "disgust" not in samples.labels["emotion"]
    train = samples.select(samples.split == "train")
    assert set(train.counts().values()) == {3}
    names = np.asarray(samples.labels["emotion"])[samples.targets["emotion"]]
    original = {place: FER2013[label] for place, label in zip(data.places, data.labels, strict=True)}
    assert [original[place] for place in samples.places] == list(names)
    options = RunOptions(tmp_path, tmp_path / "out", balanced=True)
    assert len(load_study(options).labels["emotion"]) == 6


def test_copies_of_test_images_are_left_out_of_training(tmp_path: Path) -> None:
    data = load_fer2013(sets.fer2013_npz(tmp_path))
    assert len(data) - len(data.honest()) == 2
    assert {0, 1}.isdisjoint(data.honest().row)


def test_jaffe_reads_palette_pictures_as_grey(tmp_path: Path) -> None:
    samples = load_jaffe(sets.jaffe(tmp_path))
    assert samples.counts() == dict.fromkeys(FER2013, 3)
    assert samples.subject is not None
    assert set(samples.subject) == {"KA", "KL", "KM"}
    shapes = {samples.images[row].shape for row in range(len(samples))}
    assert shapes == {(256, 256)}
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(samples.images[0], sets.pattern(0, rng, 256))


def test_faces_names_give_three_heads(tmp_path: Path) -> None:
    samples = load_faces(sets.faces(tmp_path))
    row = int(np.flatnonzero(samples.places == str(tmp_path / "003_o_f_h_a.jpg"))[0])
    told = {head: labels[samples.targets[head][row]] for head, labels in samples.labels.items()}
    assert told == {"emotion": "happy", "age_group": "older", "gender": "female"}
    assert next(iter(samples.labels)) == "emotion"
    assert samples.images[row].shape == (200, 160, 3)
    one = load_task(RunOptions(tmp_path, tmp_path, task="gender"))
    assert list(one.labels) == ["gender"]


def test_ckplus_takes_peaks_and_neutral_first_frames(tmp_path: Path) -> None:
    samples = load_ckplus(sets.ckplus(tmp_path))
    assert samples.counts() == dict.fromkeys(FERPLUS, 6) | {"neutral": 14}
    row = int(np.flatnonzero([place.endswith("S001_007_00000005.png") for place in samples.places])[0])
    assert FERPLUS[samples.targets["emotion"][row]] == "surprise"


def test_rafdb_and_affectnet_number_their_labels_in_their_own_way(tmp_path: Path) -> None:
    raf = load_rafdb(sets.rafdb(tmp_path / "raf"))
    assert FER2013[raf.targets["emotion"][0]] == "surprise"
    assert raf.places[0].endswith("list_patition_label.txt:1")
    assert sorted(set(raf.split)) == ["test", "train"]
    affect = load_affectnet(sets.affectnet(tmp_path / "affect"))
    assert affect.counts() == dict.fromkeys(FERPLUS, 4)
    file = [place.endswith("train_set/images/7.jpg") for place in affect.places].index(True)
    assert FERPLUS[affect.targets["emotion"][file]] == "contempt"


@pytest.mark.parametrize(
    ("make", "load", "spoil", "message"),
    [
        (sets.jaffe, load_jaffe, lambda p: (p / "KA.AN1.1.tiff").rename(p / "KAAN1.tiff"), "name must be like KA"),
        (sets.faces, load_faces, lambda p: (p / "001_y_f_a_a.jpg").rename(p / "001_x_f_a_a.jpg"), "004_o_m_a_b"),
        (
            sets.ckplus,
            load_ckplus,
            lambda p: (p / "Emotion/S001/001/S001_001_00000005_emotion.txt").write_text("9"),
            r"emotion\.txt:1: label must be a number from 0 to 7, got '9'",
        ),
        (
            sets.rafdb,
            load_rafdb,
            lambda p: edit_line(p / "EmoLabel/list_patition_label.txt", 3, lambda _: "train_00003.jpg 8"),
            r"list_patition_label\.txt:3: line must be",
        ),
        (
            sets.rafdb,
            load_rafdb,
            lambda p: (p / "Image/aligned/train_00002_aligned.jpg").unlink(),
            r"list_patition_label\.txt:2: image must be at .*train_00002_aligned\.jpg, got nothing",
        ),
        (
            sets.affectnet,
            load_affectnet,
            lambda p: np.save(p / "train_set/annotations/0_exp.npy", np.asarray("11")),
            r"0_exp\.npy: expression must be from 0 to 7, got 11",
        ),
        (
            sets.affectnet,
            load_affectnet,
            lambda p: (p / "train_set/annotations/0_exp.npy").unlink(),
            r"0_exp\.npy: annotation must be an npy file",
        ),
    ],
)
def test_faults_of_other_sets_are_named(make, load, spoil, message: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataError, match=message):
        load(tmp_path)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (sets.fer2013_csv, "FER2013"),
        (sets.fer2013_folders, "FER2013"),
        (sets.jaffe, "JAFFE"),
        (sets.faces, "FACES"),
        (sets.ckplus, "CK+"),
        (sets.rafdb, "RAF-DB"),
        (sets.affectnet, "AffectNet"),
        (sets.class_folders, "folders"),
    ],
)
def test_layout_tells_the_sets_apart_and_each_says_its_terms(make, name: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "set")
    terms = load_any(tmp_path / "set").terms
    assert terms.name == name
    assert terms.licence
    assert terms.obtain


def test_class_folders_that_are_named_as_those_of_fer2013_hold_pictures_of_any_size(tmp_path: Path) -> None:
    for part in ("train", "test"):
        sets.class_folders(tmp_path / part, FER2013, per_class=2)
    samples = load_any(tmp_path)
    assert samples.terms.name == "folders"
    assert samples.counts() == dict.fromkeys(sorted(FER2013), 4)
    assert samples.images[0].shape == (100, 90, 3)
    with pytest.raises(DataError, match=r"got none; the first of 28: .*0\.jpg: image must be 48x48 grey, got shape"):
        load_fer2013(tmp_path, skip_corrupt=True)


def test_a_torn_picture_does_not_hide_fer2013(tmp_path: Path) -> None:
    first = min((sets.fer2013_folders(tmp_path) / "train" / "angry").iterdir())
    first.write_bytes(b"torn")
    samples = load_any(tmp_path)
    assert samples.terms.name == "FER2013"
    assert str(first) in samples.faults[0]


def test_nothing_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"got nothing there; to get it: kaggle"):
        load_any(tmp_path / "absent.csv")
    (tmp_path / "empty").mkdir()
    for load in (load_jaffe, load_faces, load_ckplus, load_rafdb, load_affectnet, load_folders):
        with pytest.raises(DataError, match=r"got (none|nothing)"):
            load(tmp_path / "empty")


def test_class_without_images_is_refused_before_training(tmp_path: Path) -> None:
    samples = load_fer2013(sets.fer2013_csv(tmp_path)).samples()
    rest = samples.select(samples.targets["emotion"] != FER2013.index("fear"))
    with pytest.raises(DataError, match="class fear of head emotion must have at least one image, got none"):
        require_classes(rest, "there")
