"""Which cells learn which face, and what they lose, against plain loops."""

from __future__ import annotations

import numpy as np

from ferserve.detection.face_lite import cell_grid as served_grid
from ferserve.detection.face_lite import decode_cells
from training.face_lite.faces import Faces
from training.face_lite.loss import FaceLoss
from training.face_lite.targets import MAX_CANDIDATES, SIZE_RANGE, TargetMaker, cell_grid


def test_candidates_are_near_the_middle_on_levels_that_suit() -> None:
    rows = np.zeros((2, 16), np.float32)
    rows[0, :4], rows[1, :4] = (20, 20, 60, 60), (100, 100, 110, 110)
    rows[:, 14] = 1
    targets = TargetMaker(128, 128).make(Faces.from_rows(rows))
    centres, strides = cell_grid(128, 128)
    for face, (box, side) in enumerate(((rows[0, :4], 40), (rows[1, :4], 10))):
        wanted = set()
        for cell, ((x, y), stride) in enumerate(zip(centres, strides, strict=True)):
            low, high = SIZE_RANGE[int(stride)]
            reach = max(0.3 * side, 0.75 * stride)
            off = max(abs(x - (box[0] + box[2]) / 2), abs(y - (box[1] + box[3]) / 2))
            if off < reach and low * stride <= side < high * stride:
                wanted.add(cell)
        found = set(targets["candidates"][face].tolist()) - {-1}
        assert found == wanted
        assert 0 < len(wanted) <= MAX_CANDIDATES
        assert {int(c) for c in np.flatnonzero(targets["owner"] == face)} == wanted


def test_ignored_faces_are_neither_learnt_nor_background() -> None:
    rows = np.zeros((1, 16), np.float32)
    rows[0, :4], rows[0, 14:] = (16, 16, 48, 48), (0.4, 1)
    targets = TargetMaker(64, 64).make(Faces.from_rows(rows))
    assert (targets["owner"] == -1).all()
    centres, _ = cell_grid(64, 64)
    inside = ((centres > 16) & (centres < 48)).all(axis=1)
    np.testing.assert_array_equal(targets["counted"] == 0, inside)


def test_the_loss_of_a_perfect_answer_is_near_zero_and_of_a_shifted_one_is_not() -> None:
    rows = np.zeros((1, 16), np.float32)
    rows[0, :4], rows[0, 14] = (20, 24, 52, 56), 1
    rows[0, 4:14] = np.linspace(26, 46, 10)
    targets = {k: v[None] for k, v in TargetMaker(64, 64).make(Faces.from_rows(rows)).items()}
    centres, strides = cell_grid(64, 64)
    cells = np.zeros((1, len(centres), 16), np.float32)
    cells[0, :, 0] = np.where(targets["owner"][0] == 0, 12, -12)
    cells[0, :, 1:3] = ((36, 40) - centres) / strides[:, None]
    cells[0, :, 3:5] = np.log(32 / strides)[:, None]
    points = rows[0, 4:14].reshape(5, 2)
    cells[0, :, 5:15] = ((points - centres[:, None]) / strides[:, None, None]).reshape(-1, 10)
    loss = FaceLoss(64, 64)
    perfect = {k: float(v) for k, v in loss.parts(targets, cells).items()}
    assert max(perfect.values()) < 1e-3
    cells[0, :, 1:] += 0.3
    shifted = {k: float(v) for k, v in loss.parts(targets, cells).items()}
    assert shifted["box"] > 0.1
    assert shifted["landmarks"] > 0.05


def test_unknown_landmarks_cost_nothing() -> None:
    rows = np.zeros((1, 16), np.float32)
    rows[0, :4], rows[0, 4:14], rows[0, 14] = (20, 24, 52, 56), np.nan, 1
    targets = {k: v[None] for k, v in TargetMaker(64, 64).make(Faces.from_rows(rows)).items()}
    parts = FaceLoss(64, 64).parts(targets, np.zeros((1, 84, 16), np.float32))
    assert float(parts["landmarks"]) == 0
    assert np.isfinite(float(parts["box"]))


def test_training_and_serving_decode_alike() -> None:
    rng = np.random.default_rng(2)
    cells = rng.normal(0, 1, (1, 84, 16)).astype(np.float32)
    trained = FaceLoss(64, 64).decode(cells)
    served = decode_cells(np.ascontiguousarray(cells[0].T), served_grid(64, 64, (8, 16, 32)), 0.0)
    order = np.argsort(-cells[0, :, 0], kind="stable")
    assert served.landmarks is not None
    np.testing.assert_allclose(served.xyxy, np.asarray(trained.xyxy)[0, order], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(served.landmarks, np.asarray(trained.landmarks)[0, order], rtol=1e-4, atol=1e-3)
