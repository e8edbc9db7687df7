"""Training waits for arithmetic, not for its input; and channel pruning is what makes a dense runtime faster.

make bench    or    pytest tests/benchmarks/test_training.py -o addopts=--import-mode=importlib --benchmark-only
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.training import sets

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="needs the training extra")

pytestmark = pytest.mark.heavy
IMAGES, BATCH = 19200, 64
EPOCHS = {"fer2013_dense": 15, "fer2013_cnn3": 2}
"""In one call of fit, as a run does; the recipes train 15."""
INPUT_FLOOR = 0.9
CHANNELS_FLOOR = 1.7


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sets.fer2013_npz(tmp_path_factory.mktemp("data"), per_class=IMAGES // 7, tests_per_class=2)


def training(name: str, constant: bool, data: Path):  # type: ignore[no-untyped-def]
    """A callable that trains recipe ``name``, on its own batches or on its first one again and again."""
    import tensorflow as tf

    from training.classification.batches import Batches
    from training.classification.input_pipeline import fit
    from training.classification.run import compiled
    from training.data.fer2013 import load_fer2013
    from training.recipe import get_recipe

    recipe = get_recipe(name)
    samples = load_fer2013(data).samples()
    batches = Batches(samples, recipe.input, BATCH, recipe.augmentation, seed=1)
    model = compiled(recipe, "none", samples)
    if constant:
        same = tf.data.Dataset.from_tensors(batches[0]).repeat(len(batches))
        return lambda: model.fit(same, epochs=EPOCHS[name], shuffle=False, verbose=0)
    return lambda: fit(model, batches, epochs=EPOCHS[name], verbose=0)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["fer2013_dense", "fer2013_cnn3"])
@pytest.mark.parametrize("role", ["ours", "peer"])
def test_input_pipeline_keeps_up(name: str, role: str, fer2013: Path, benchmark: BenchmarkFixture) -> None:
    benchmark.group = f"input pipeline of {name}, against a constant batch"
    benchmark.extra_info |= {"role": role, "at_least": INPUT_FLOOR}
    run = training(name, role == "peer", fer2013)
    history = run().history
    assert np.isfinite(history["loss"]).all()
    benchmark.pedantic(run, rounds=4, iterations=1)


@pytest.mark.parametrize("role", ["ours", "peer"])
def test_half_the_channels_run_faster(role: str, tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    import onnxruntime

    from ferserve.models.spec import HeadSpec, InputSpec, ModelSpec
    from training.common.export import export_onnx
    from training.compress.channels import prune_channels
    from training.models.request import ModelRequest
    from training.models.small import cnn_best

    benchmark.group = "cnn_best with half its channels, against all of them"
    benchmark.extra_info |= {"role": role, "at_least": CHANNELS_FLOOR}
    model = cnn_best(ModelRequest((48, 48, 1), {"emotion": 7}, "none"))
    if role == "ours":
        model = prune_channels(model, 0.5)
    spec = ModelSpec("m", "1", InputSpec(48, 48, layout="NHWC"), (HeadSpec("emotion", tuple("abcdefg"), "emotion"),))
    row = np.random.default_rng(1).random((1, 48, 48, 1), np.float32)
    export_onnx(model, tmp_path / "model.onnx", spec, row)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", options)
    np.testing.assert_allclose(session.run(None, {"input": row})[0], model.predict_on_batch(row), atol=1e-4)
    benchmark.pedantic(session.run, (None, {"input": row}), rounds=30, iterations=3, warmup_rounds=2)
