"""FER2013 and its FER+ votes, read from the official formats; faults name file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from ferserve.labels import FER2013
from tests.training import sets
from training.data.fer2013 import load_fer2013
from training.data.layout import load_any
from training.errors import DataError


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
    sets.edit_line(path, 1, lambda line: "emotion, pixels, Usage")
    assert len(load_fer2013(path)) == 56


def test_ferplus_is_joined_by_row_and_not_by_file_name(tmp_path: Path) -> None:
    data = load_fer2013(sets.fer2013_csv(tmp_path, ferplus=True))
    assert data.votes is not None
    np.testing.assert_array_equal(data.votes[:, 0], data.labels)
    np.testing.assert_array_equal(data.votes.sum(axis=1), 10)


def test_ferplus_stays_in_step_when_a_corrupt_row_is_left_out(tmp_path: Path) -> None:
    path = sets.fer2013_csv(tmp_path, ferplus=True)
    sets.edit_line(path, 5, lambda line: "3,12 13 14,Training")
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
    sets.edit_line(votes, 3, lambda line: line.replace("Training", "PublicTest"))
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
    sets.edit_line(path, line, lambda _: text)
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
