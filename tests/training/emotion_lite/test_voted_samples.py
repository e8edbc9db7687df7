"""What emotion_lite learns from: which rows, which targets, and how they are augmented."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="training needs the training extra")

from ferserve.labels import FER2013
from tests.training.emotion_lite.sets import Arrays, as_samples, make_faces
from training.emotion_lite.augment import NO_AUGMENTATION, FaceAugmentation, augment_batch, normalise
from training.emotion_lite.voted_samples import VotedSamples, load_voted_samples, make_targets
from training.errors import DataError
from training.models.emotion_stages import split_heads


def test_rows_that_would_cheat_or_mislead_are_left_out(tmp_path: Path) -> None:
    arrays = make_faces(30)
    arrays["usage"][:] = 0
    arrays["near_private_test"][0] = arrays["near_public_test"][1] = True
    arrays["images"][2] = 7
    arrays["ferplus_votes"][3] = [2, 0, 0, 0, 0, 0, 0, 0, 0, 8]
    arrays["usage"][4] = 1
    np.savez(tmp_path / "faces.npz", **arrays)
    train, test = load_voted_samples(tmp_path / "faces.npz")
    assert len(test) == 1
    np.testing.assert_array_equal(train.images, arrays["images"][5:])


def test_copies_of_test_images_are_left_out_though_no_mask_names_them(tmp_path: Path) -> None:
    arrays = make_faces(30)
    for name in ("near_private_test", "near_public_test"):
        arrays.pop(name)
    arrays["usage"][[0, 1]] = (1, 2)
    arrays["images"][4], arrays["images"][5] = arrays["images"][0], arrays["images"][1]
    arrays["usage"][2:10] = 0
    np.savez(tmp_path / "faces.npz", **arrays)
    train, test = load_voted_samples(tmp_path / "faces.npz")
    learnt = np.flatnonzero((arrays["usage"] == 0) & ~np.isin(np.arange(30), (4, 5)))
    np.testing.assert_array_equal(train.images, arrays["images"][learnt])
    np.testing.assert_array_equal(test.images, arrays["images"][arrays["usage"] == 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("images"), "arrays must hold 'images'"),
        (lambda a: a.pop("usage"), "arrays must hold 'usage'"),
        (lambda a: a.update(images=a["images"][:, :40]), "images must be 48x48 px, got 40x48"),
        (lambda a: a.update(labels=a["labels"] + 7), "labels must be whole numbers from 0 to 6"),
        (lambda a: a.update(near_public_test=a["near_public_test"][1:]), "near_public_test must have 30 rows"),
        (lambda a: a.update(usage=np.ones(30, np.uint8)), "at least one training row that can be used, got none"),
        (lambda a: a.update(usage=np.zeros(30, np.uint8)), "at least one PublicTest row"),
    ],
)
def test_a_set_that_cannot_be_learnt_from_is_named(
    tmp_path: Path, change: Callable[[Arrays], None], message: str
) -> None:
    arrays = make_faces(30)
    change(arrays)
    np.savez(tmp_path / "faces.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load_voted_samples(tmp_path / "faces.npz")


def test_targets_are_vote_shares_smoothed_labels_and_clarity() -> None:
    votes = np.array([[6, 2, 0, 0, 0, 0, 0, 0, 1, 1]])
    targets = split_heads(make_targets(VotedSamples(np.zeros((1, 48, 48), np.uint8), np.array([3]), votes)))
    np.testing.assert_allclose(targets["emotion"], [[0.75, 0.25, 0, 0, 0, 0, 0, 0]])
    assert targets["emotion_fer2013"].argmax() == FER2013.index("happy")
    np.testing.assert_allclose(targets["clarity"], [[0.8, 0.2]], rtol=1e-6)
    assert all(np.isclose(target.sum(), 1) for target in targets.values())


def test_targets_of_a_row_without_an_emotion_vote_are_even() -> None:
    votes = np.array([[0] * 8 + [10, 0]])
    targets = split_heads(make_targets(VotedSamples(np.zeros((1, 48, 48), np.uint8), np.array([0]), votes)))
    np.testing.assert_allclose(targets["emotion"], np.full((1, 8), 1 / 8))
    np.testing.assert_allclose(targets["clarity"], [[0, 1]])


def test_no_augmentation_only_mirrors() -> None:
    images = make_faces(16)["images"]
    pixels, _ = augment_batch(images, np.eye(17, dtype=np.float32)[:16], NO_AUGMENTATION, np.random.default_rng(0))
    for image, got in zip(images, pixels, strict=True):
        straight, mirrored = normalise(image[None])[0], normalise(image[None, :, ::-1])[0]
        assert np.allclose(got, straight, atol=1e-5) or np.allclose(got, mirrored, atol=1e-5)


def test_augmentation_is_repeatable_and_keeps_targets_distributions() -> None:
    samples = as_samples(make_faces(32))
    targets = make_targets(samples)
    first = augment_batch(samples.images, targets, FaceAugmentation(), np.random.default_rng(3))
    again = augment_batch(samples.images, targets, FaceAugmentation(), np.random.default_rng(3))
    np.testing.assert_array_equal(first[0], again[0])
    assert np.isfinite(first[0]).all()
    for head in split_heads(first[1]).values():
        np.testing.assert_allclose(head.sum(axis=1), 1, rtol=1e-5)
