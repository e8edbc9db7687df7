"""Loaders read the real on-disk formats and refuse what is not whole, naming file and line."""

from __future__ import annotations

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
    with pytest.raises(
        DataError, match=r"bored: class must be one of angry, happy, sad, got 'bored'; move it elsewhere"
    ):
        load_folders(tmp_path, ("angry", "happy", "sad"))
    assert load_folders(tmp_path).labels["emotion"] == ("angry", "bored", "happy", "sad")


def test_the_three_emotions_folders_are_taken_as_the_work_has_them(tmp_path: Path) -> None:
    """``data/Angry``, ``data/Happy``, ``data/Sad``, in any case; a name that is only nearly right is an error."""
    names = ("angry", "happy", "sad")
    sets.class_folders(tmp_path / "work" / "data", ("Angry", "HAPPY", "Sad"), per_class=2)
    samples = load_folders(tmp_path / "work", names)
    assert samples.counts() == {"angry": 2, "happy": 2, "sad": 2}
    (tmp_path / "work" / "data" / "Angry").rename(tmp_path / "work" / "data" / "Angry ")
    with pytest.raises(DataError, match=r"Angry : class must be one of angry, happy, sad, got 'Angry '; rename it to"):
        load_folders(tmp_path / "work", names)
    (tmp_path / "work" / "data" / "Angry ").rename(tmp_path / "work" / "data" / "angryy")
    with pytest.raises(DataError, match="rename it to angry"):
        load_folders(tmp_path / "work", names)


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
    sets.jaffe(tmp_path)
    (tmp_path / "README_FIRST.txt").write_text("JAFFE comes with it\n")
    samples = load_any(tmp_path)
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
        (
            sets.faces,
            load_faces,
            lambda p: (p / "001_y_f_a_a.jpg").rename(p / "001_x_f_a_a.jpg"),
            r"001_x_f_a_a\.jpg: age_group must be one of y, m, o in a name like 004_o_m_a_b\.jpg, got 'x'; correct the",
        ),
        (
            sets.faces,
            load_faces,
            lambda p: (p / "001_y_f_a_a.jpg").rename(p / "001_y_f_z_a.jpg"),
            r"001_y_f_z_a\.jpg: emotion must be one of a, d, f, h, n, s in a name",
        ),
        (
            sets.faces,
            load_faces,
            lambda p: (p / "001_y_f_a_a.jpg").rename(p / "01_y_f_a_a.jpg"),
            r"name must be like 004_o_m_a_b\.jpg, got '01_y_f_a_a'; correct the name, or move the file elsewhere",
        ),
        (
            sets.ckplus,
            load_ckplus,
            lambda p: (p / "Emotion/S001/001/S001_001_00000005_emotion.txt").write_text("9"),
            r"emotion\.txt:1: label must be a number from 0 to 7, got '9'",
        ),
        (
            sets.rafdb,
            load_rafdb,
            lambda p: sets.edit_line(p / "EmoLabel/list_patition_label.txt", 3, lambda _: "train_00003.jpg 8"),
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
