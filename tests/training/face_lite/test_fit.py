"""face-lite's training on drawn pictures: the rate, stops and processes, and the recipe as a whole."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from ferserve.detection.factory import open_face_lite, read_detector_spec
from tests.training.face_lite.sets import QUICK, SMALL, make_photographs
from training.common.local_sgd import ProcessGroup
from training.errors import CheckpointError, TrainingError
from training.face_lite.batches import SceneBatches
from training.face_lite.fit import (
    Meet,
    Progress,
    Schedule,
    compile_for,
    fit_rounds,
    read_progress,
    restore_state,
    save_state,
)
from training.face_lite.photographs import Photograph, load_photographs
from training.models.face_lite import build_face_lite
from training.recipe import RunOptions
from training.recipes.face_lite import FaceLiteRecipe


@pytest.fixture(scope="module")
def photographs() -> list[Photograph]:
    return make_photographs()


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """Photographs on disk, labelled."""
    folder = tmp_path / "data"
    (folder / "set").mkdir(parents=True)
    rows = {}
    for photograph in make_photographs(24):
        cv2.imwrite(str(folder / photograph.name), photograph.luma)
        rows[photograph.name] = photograph.faces.to_rows()
    np.savez(folder / "labels.npz", **rows)
    return folder


def test_the_schedule_rises_stays_and_falls() -> None:
    schedule = Schedule(1.0, total=1000, decay_part=0.4, warmup=100)
    rates = [float(schedule(step)) for step in (0, 49, 99, 500, 599, 800, 1000)]
    np.testing.assert_allclose(rates, [0.01, 0.5, 1, 1, 1, 0.5, 0], atol=0.01)


def test_training_lowers_the_loss(photographs: list[Photograph]) -> None:
    keras.utils.set_random_seed(1)
    options = replace(QUICK, batch_size=8, learning_rate=3e-2, epochs=10**6)
    model = compile_for(build_face_lite(64, 64, SMALL), options)
    luma, targets = SceneBatches(photographs, 8, 64, 1, seed=1)[0]
    losses = [float(model.train_on_batch(luma, targets)) for _ in range(60)]
    assert losses[-1] < 0.6 * losses[0]


def test_a_stopped_run_goes_on_where_it_was(photographs: list[Photograph], tmp_path: Path) -> None:
    batches = SceneBatches(photographs, 2, 64, 4, seed=1)
    steps = [batches[i] for i in range(4)]

    def fresh():  # type: ignore[no-untyped-def]
        keras.utils.set_random_seed(1)
        return compile_for(build_face_lite(64, 64, SMALL), QUICK)

    whole = fresh()
    for step in steps:
        whole.train_on_batch(*step)
    first = fresh()
    for step in steps[:2]:
        first.train_on_batch(*step)
    save_state(first, tmp_path, Progress(1, 3))
    second = fresh()
    assert read_progress(tmp_path) == Progress(1, 3)
    restore_state(second, tmp_path)
    for step in steps[2:]:
        second.train_on_batch(*step)
    for a, b in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_photographs_are_split_by_name_for_good(data_folder: Path) -> None:
    first = [p.is_validation for p in load_photographs(data_folder, data_folder / "labels.npz")]
    assert 0 < sum(first) < len(first)
    assert first == [p.is_validation for p in load_photographs(data_folder, data_folder / "labels.npz")]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_recipe_runs_through_its_rounds_and_resumes(data_folder: Path, tmp_path: Path) -> None:
    recipe = FaceLiteRecipe(config=SMALL, rounds=(QUICK, replace(QUICK, learning_rate=1e-3)), processes=1)
    options = RunOptions(data=data_folder, out=tmp_path / "run", epochs=1)
    folder = recipe.run(options)
    detector = open_face_lite(folder / "face-lite.onnx")()
    found = detector.detect(make_photographs(1)[0].luma, side_px=0, min_score=0.0)
    assert np.isfinite(found.xyxy).all()
    assert read_progress(folder) == Progress(1, 1)
    recipe.run(replace(options, epochs=2, resume=True))
    assert read_progress(folder) == Progress(1, 2)
    spec = read_detector_spec(folder / "face-lite.onnx")
    assert "validation/side_320/recall_24px" in spec.metrics
    assert spec.trained_on == (f"photographs: {data_folder.name}",)


def test_a_damaged_state_is_named(data_folder: Path, tmp_path: Path) -> None:
    recipe = FaceLiteRecipe(config=SMALL, rounds=(QUICK,), processes=1)
    options = RunOptions(data=data_folder, out=tmp_path / "run", epochs=1, resume=True)
    options.out.mkdir()
    state = options.out / "state.npz"
    save_state(compile_for(build_face_lite(64, 64, SMALL), QUICK), options.out, Progress(0, 1))
    whole = state.read_bytes()
    other = compile_for(build_face_lite(64, 64, replace(SMALL, widths=(16, 16, 16, 16, 32))), QUICK)
    with pytest.raises(CheckpointError, match=r"state\.npz: state must be a whole one of this network"):
        restore_state(other, options.out)
    for content in (whole[: len(whole) // 2], b"something else", b""):
        state.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"state\.npz: state must be a whole one of this network"):
            recipe.run(options)


def test_an_epoch_that_diverged_leaves_the_good_state(photographs: list[Photograph], tmp_path: Path) -> None:
    fast = replace(QUICK, learning_rate=float("nan"))
    keras.utils.set_random_seed(1)
    save_state(compile_for(build_face_lite(64, 64, SMALL), fast), tmp_path, Progress(0, 1))
    with pytest.raises(TrainingError, match=r"loss must be a finite number, got nan in epoch 2"):
        fit_rounds(build_face_lite(64, 64, SMALL), [fast], photographs, tmp_path, seed=1)
    assert read_progress(tmp_path) == Progress(0, 1)


def test_processes_that_meet_have_the_mean_of_their_weights() -> None:
    """Two networks in two threads: after an epoch that ends with a meeting both are the same, and neither is itself."""
    barrier, memory = threading.Barrier(2), bytearray(4 * 2 * 4 * build_face_lite(64, 64, SMALL).count_params())
    models = []
    for rank in range(2):
        keras.utils.set_random_seed(rank)
        models.append(compile_for(build_face_lite(64, 64, SMALL), QUICK))
    before = [model.get_weights() for model in models]
    meets = [Meet(ProcessGroup(rank, 2, barrier, memory), every=16) for rank in range(2)]
    for meet, model in zip(meets, models, strict=True):
        meet.set_model(model)
    threads = [threading.Thread(target=meet.on_epoch_end, args=(0,)) for meet in meets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b, one, other in zip(*before, *(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, (a + b) / 2, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(one, other)
