"""Training and serving see the same pixels, and batches hold what their seed says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from ferserve.models.spec import InputSpec
from ferserve.vision.preprocess import preprocess_into
from tests.training import sets
from training.classification import input_pipeline as feed
from training.classification.augment import Augmentation
from training.classification.batches import Batches
from training.common.pixels import PixelRows, centre_box
from training.data.fer2013 import load_fer2013
from training.data.folders import load_folders
from training.recipe import get_recipe, recipe_summaries

SPECS = {name: get_recipe(name).input for name in recipe_summaries() if not name.endswith("_lite")}


@pytest.mark.parametrize("name", SPECS)
def test_training_sees_what_serving_makes(name: str, tmp_path: Path) -> None:
    """The same face through both doors, bit for bit: training from the file, serving from the frame it lies in."""
    spec = SPECS[name]
    samples = load_folders(sets.class_folders(tmp_path))
    trained_on = Batches(samples, spec, batch_size=4)[0][0]
    assert trained_on.dtype == np.float32
    for row, trained in enumerate(trained_on):
        frame = samples.images[row]
        box = centre_box(*frame.shape[:2], spec)
        served = np.empty((1, *spec.row_shape), np.float32)
        preprocess_into(frame, "rgb", box[np.newaxis], spec, served)
        np.testing.assert_array_equal(trained, served[0])


def test_a_picture_counts_as_a_face_with_the_margin_of_the_spec() -> None:
    spec = InputSpec(48, 48, margin=0.25)
    np.testing.assert_allclose(centre_box(150, 150, spec), [25, 25, 125, 125])
    np.testing.assert_allclose(centre_box(300, 150, InputSpec(48, 48)), [0, 75, 150, 225])
    np.testing.assert_allclose(centre_box(300, 150, InputSpec(48, 48, square=False)), [0, 0, 150, 300])


def test_fer2013_pixels_reach_the_model_as_they_are(tmp_path: Path) -> None:
    samples = load_fer2013(sets.fer2013_csv(tmp_path)).samples()
    images, labels = Batches(samples, InputSpec(48, 48, layout="NHWC"), batch_size=64)[0]
    np.testing.assert_allclose(images[..., 0], np.asarray(samples.images) / 255, atol=1e-6)
    np.testing.assert_array_equal(labels, samples.targets["emotion"])


def test_rows_are_the_same_with_and_without_the_cache(tmp_path: Path) -> None:
    samples = load_folders(sets.class_folders(tmp_path))
    spec = InputSpec(32, 32, color="rgb", layout="NHWC", mean=(0, 0, 0), std=(1, 1, 1))
    rows = np.asarray([3, 0, 7])
    cached, fresh = (PixelRows(samples.images, spec, limit).take(rows) for limit in (1 << 30, 0))
    np.testing.assert_array_equal(cached, fresh)


def test_order_depends_on_seed_and_epoch_alone(tmp_path: Path) -> None:
    samples = load_fer2013(sets.fer2013_csv(tmp_path)).samples()
    spec = InputSpec(48, 48, layout="NHWC")
    augmentation = Augmentation(flip_horizontal=True, rotation=5, shift=0.25)
    first = Batches(samples, spec, 8, augmentation, seed=3)
    first.on_epoch_end()
    resumed = Batches(samples, spec, 8, augmentation, seed=3, first_epoch=1)
    other = Batches(samples, spec, 8, augmentation, seed=4, first_epoch=1)
    np.testing.assert_array_equal(first[2][0], resumed[2][0])
    assert not np.array_equal(first[2][0], other[2][0])
    seen = np.concatenate([first[index][1] for index in range(len(first))])
    np.testing.assert_array_equal(np.sort(seen), np.sort(samples.targets["emotion"]))


def test_augmentation_moves_as_far_as_it_says() -> None:
    image = np.zeros((200, 48, 48, 1), np.float32)
    image[:, 24, 24] = 1
    moved = Augmentation(shift=0.25).apply(image, np.random.default_rng(1))
    rows, columns = np.divmod(moved.reshape(200, -1).argmax(axis=1), 48)
    assert 10 <= np.abs(rows - 24).max() <= 12
    assert 10 <= np.abs(columns - 24).max() <= 12

    ramp = np.tile(np.arange(48, dtype=np.float32), (400, 48, 1))[..., None]
    flipped = Augmentation(flip_horizontal=True).apply(ramp, np.random.default_rng(1))
    turned = (flipped[:, 0, 0, 0] == 47).mean()
    assert 0.4 < turned < 0.6
    np.testing.assert_allclose(flipped[flipped[:, 0, 0, 0] == 47][0], ramp[0, :, ::-1], atol=1e-4)


def test_rotation_turns_about_the_centre() -> None:
    from scipy.ndimage import rotate

    rng = np.random.default_rng(2)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(49, 49)), 0), 1).astype(np.float32)
    smooth /= np.abs(smooth).max()
    augmentation = Augmentation(rotation=30)
    got = augmentation.apply(smooth[None, ..., None], np.random.default_rng(5))[0, ..., 0]
    angle = np.random.default_rng(5).uniform(-30, 30, 1)[0]
    expected = rotate(smooth, angle, reshape=False, order=1, mode="nearest")
    np.testing.assert_allclose(got[8:-8, 8:-8], expected[8:-8, 8:-8], atol=0.02)


@pytest.mark.parametrize(("flips", "chunk_bytes"), [(True, 1), (True, 1 << 24), (False, 1)])
def test_training_reads_the_very_batches_in_their_order(
    flips: bool, chunk_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "CHUNK_BYTES", chunk_bytes)
    samples = load_fer2013(sets.fer2013_csv(tmp_path)).samples()
    spec = InputSpec(48, 48, layout="NHWC")
    augmentation = Augmentation(flip_horizontal=flips)
    seen: list[np.ndarray] = []

    class Watched(keras.Model):  # type: ignore[misc]
        def train_step(self, data: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
            seen.append(data[0].numpy())
            return {"rows": float(len(seen[-1]))}

    model = Watched()
    model.compile(run_eagerly=True)
    feed.fit(model, Batches(samples, spec, 9, augmentation, seed=3), epochs=2, verbose=0)  # the last batch is smaller
    expected = Batches(samples, spec, 9, augmentation, seed=3)
    wanted = [expected[index][0] for index in range(len(expected))]
    expected.on_epoch_end()
    wanted += [expected[index][0] for index in range(len(expected))]
    for got, want in zip(seen, wanted, strict=True):
        np.testing.assert_array_equal(got, want)


ON_TORCH = """
import sys, keras, numpy as np
from pathlib import Path
from ferserve.models.spec import InputSpec
from training.classification import input_pipeline as feed
from training.classification.batches import Batches
from training.data.fer2013 import load_fer2013

class Watched(keras.Model):
    def train_step(self, data):
        seen.append(np.asarray(data[1]))
        return {"rows": float(len(data[1]))}

samples = load_fer2013(Path(sys.argv[1])).samples()
for seed in (1, 2):  # of everything else
    keras.utils.set_random_seed(seed)
    image = keras.Input((48, 48, 1))
    seen, model = [], Watched(image, keras.layers.Flatten()(image))
    model.compile()
    feed.fit(model, Batches(samples, InputSpec(48, 48, layout="NHWC"), 9, seed=3), epochs=2, verbose=0)
    wanted = Batches(samples, InputSpec(48, 48, layout="NHWC"), 9, seed=3)
    expected = [wanted.make(epoch, i)[1] for epoch in range(2) for i in range(len(wanted))]
    np.testing.assert_array_equal(np.concatenate(seen), np.concatenate(expected))
"""


@pytest.mark.timeout(240)
def test_training_on_torch_reads_them_in_their_order_too(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    line = [sys.executable, "-c", ON_TORCH, str(sets.fer2013_csv(tmp_path))]
    done = subprocess.run(
        line, env=os.environ | {"KERAS_BACKEND": "torch"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
