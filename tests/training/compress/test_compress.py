"""Pruning and quantisation do what their equations say, and the steps together say what each one cost."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers

from ferserve.errors import ConfigError
from ferserve.models.spec import HeadSpec, InputSpec, ModelSpec
from tests.training.disk import full_disk
from training.__main__ import main
from training.common.export import export_onnx, read_spec
from training.common.magnitude_pruning import (
    MagnitudePruning,
    magnitude_mask,
    polynomial_sparsity,
    prunable_kernels,
    pruning_ratio,
)
from training.compress.channels import prune_channels
from training.compress.linear import dequantize_linear, quantize_linear, quantized_weights, symmetric_scale
from training.compress.post_training import to_fp16, to_int8
from training.models.backbones import Head, transfer
from training.models.request import ModelRequest
from training.models.resnet import resnet18, resnext50
from training.models.small import cnn3, cnn_best

SMALL = ModelRequest((48, 48, 1), {"emotion": 7}, "none")

FirstEpoch = Callable[[str, Path], Path]


def test_schedule_is_that_of_zhu_and_gupta() -> None:
    """s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3, arXiv:1710.01878, Eq. 1."""
    for step in (100, 250, 600, 1000):
        expected = 0.8 + (0.1 - 0.8) * (1 - (step - 100) / 900) ** 3
        assert polynomial_sparsity(step, 100, 1000, final=0.8, initial=0.1) == pytest.approx(expected)
    assert polynomial_sparsity(50, 100, 1000, 0.8) == 0
    assert polynomial_sparsity(5000, 100, 1000, 0.8) == pytest.approx(0.8)


def test_mask_takes_the_smallest_weights() -> None:
    weights = np.asarray([[0.1, -5.0], [2.0, -0.2], [0.3, 0.4]], np.float32)
    np.testing.assert_array_equal(magnitude_mask(weights, 0.5), [[False, True], [True, False], [False, True]])
    assert magnitude_mask(weights, 0).all()


def test_pruning_while_training_ends_at_the_ratio_asked_for() -> None:
    keras.utils.set_random_seed(1)
    model = cnn3(SMALL)
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(1)
    rows, labels = rng.random((64, 48, 48, 1), np.float32), rng.integers(0, 7, 64)
    pruning = MagnitudePruning(0.75, begin=0, end=12)
    model.fit(rows, labels, batch_size=4, epochs=1, verbose=0, callbacks=[pruning])
    assert pruning_ratio(model) == pytest.approx(4, rel=0.01)
    for kernel in prunable_kernels(model):
        assert np.mean(keras.ops.convert_to_numpy(kernel) == 0) == pytest.approx(0.75, abs=0.01)
    assert np.count_nonzero(keras.ops.convert_to_numpy(model.get_layer("emotion").kernel) == 0) == 0


def test_zeros_are_held_while_training_goes_on() -> None:
    model = keras.Sequential([keras.Input((8,)), layers.Dense(16), layers.Dense(2)])
    model.compile("adam", "mse")
    pruning = MagnitudePruning(0.5, begin=0, end=10)
    rng = np.random.default_rng(1)
    model.fit(rng.random((64, 8)), rng.random((64, 2)), batch_size=2, verbose=0, callbacks=[pruning])
    first = keras.ops.convert_to_numpy(model.layers[0].kernel)
    assert np.mean(first == 0) == pytest.approx(0.5)


def test_linear_quantisation_is_symmetric_and_half_a_step_exact() -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(3, 3, 4, 8)).astype(np.float32)
    weights[..., 3] = 0
    scale = symmetric_scale(weights)
    steps = quantize_linear(weights, scale)
    assert steps.min() >= -127
    assert steps.max() == 127
    np.testing.assert_array_equal(quantize_linear(-weights, scale), -steps)
    error = np.abs(dequantize_linear(steps, scale) - weights)
    assert (error <= scale / 2 * (1 + 1e-5)).all()
    np.testing.assert_array_equal(quantized_weights(weights)[..., 3], 0)
    coarse = np.abs(quantized_weights(weights, 4) - weights).mean()
    assert coarse > 10 * np.abs(quantized_weights(weights, 8) - weights).mean()
    with pytest.raises(ConfigError, match="bits must be from 2 to 16, got 1"):
        symmetric_scale(weights, 1)


def test_a_scale_per_tensor_is_light_fers_equation_2() -> None:
    weights = np.random.default_rng(1).normal(0, 1, (3, 3, 4, 8)).astype(np.float32)
    (scale,) = symmetric_scale(weights, per_tensor=True)
    assert scale == pytest.approx(np.abs(weights).max() / 127)
    rounded = quantized_weights(weights, per_tensor=True)
    np.testing.assert_allclose(rounded, np.rint(weights / scale) * scale, atol=1e-6)
    assert len(np.unique(rounded)) <= 255


def dead_channels(model, names: list[str]) -> None:  # type: ignore[no-untyped-def]
    """Silence every other filter of the named layers, so that removing those changes nothing."""
    for name in names:
        layer = model.get_layer(name)
        weights = layer.get_weights()
        for weight in weights:
            weight[..., ::2] = 0
        layer.set_weights(weights)


def test_removing_dead_channels_changes_no_answer() -> None:
    keras.utils.set_random_seed(1)
    model = cnn3(SMALL)
    dead_channels(model, [layer.name for layer in model.layers if layer.weights][:-1])
    smaller = prune_channels(model, 0.5)
    rows = np.random.default_rng(1).random((4, 48, 48, 1), np.float32)
    np.testing.assert_allclose(smaller.predict_on_batch(rows), model.predict_on_batch(rows), atol=1e-6)
    assert smaller.count_params() < 0.3 * model.count_params()


@pytest.mark.parametrize(
    ("build", "request_"),
    [
        (cnn_best, SMALL),
        (transfer("VGG16", Head(flatten=True, units=(64,))), ModelRequest((32, 32, 3), {"emotion": 7}, "none")),
        (resnet18, ModelRequest((32, 32, 3), {"emotion": 6, "gender": 2}, "none")),
        (transfer("Xception", Head()), ModelRequest((71, 71, 3), {"emotion": 7}, "none")),
        (transfer("InceptionV3", Head()), ModelRequest((75, 75, 3), {"emotion": 7}, "none")),
        (resnext50, ModelRequest((32, 32, 3), {"emotion": 6}, "none")),
    ],
    ids=["cnn_best", "vgg16", "resnet18", "xception", "inceptionv3", "resnext50"],
)
@pytest.mark.timeout(120)
def test_every_network_of_the_recipes_loses_channels_and_still_fits(build, request_: ModelRequest) -> None:  # type: ignore[no-untyped-def]
    model = build(request_)
    smaller = prune_channels(model, 0.5)
    assert smaller.count_params() < 0.55 * model.count_params()
    rows = np.zeros((1, *request_.shape), np.float32)
    outputs = keras.tree.flatten(smaller(rows, training=False))
    assert [output.shape for output in outputs] == [(1, count) for count in request_.heads.values()]


def test_added_branches_lose_the_same_channels() -> None:
    """Dead channels on both sides of an addition go, and the answer stays."""
    keras.utils.set_random_seed(2)
    image = keras.Input((8, 8, 3))
    left = layers.Conv2D(32, 3, padding="same", name="left")(image)
    right = layers.Conv2D(32, 1, name="right")(image)
    x = layers.Activation("relu")(layers.Add()([left, right]))
    x = layers.DepthwiseConv2D(3, use_bias=False)(x)
    x = layers.SeparableConv2D(24, 3, name="separable")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(3, activation="softmax")(x))
    dead_channels(model, ["left", "right"])
    smaller = prune_channels(model, 0.5)
    assert smaller.get_layer("left").filters == smaller.get_layer("right").filters == 16
    assert smaller.get_layer("separable").filters == 16
    kept = prune_channels(model, 0.0)
    rows = np.random.default_rng(1).random((2, 8, 8, 3), np.float32)
    np.testing.assert_allclose(kept.predict_on_batch(rows), model.predict_on_batch(rows), atol=1e-6)


def exported(model, path: Path) -> ModelSpec:  # type: ignore[no-untyped-def]
    """Export a small 48x48 network with a spec."""
    spec = ModelSpec(
        "small", "1", InputSpec(48, 48, layout="NHWC"), (HeadSpec("emotion", tuple("abcdefg"), "emotion"),)
    )
    export_onnx(model, path, spec, np.random.default_rng(1).random((4, 48, 48, 1), np.float32))
    return spec


def test_fp16_and_int8_keep_spec_and_answers(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    spec = exported(cnn3(SMALL), tmp_path / "fp32.onnx")
    rows = np.random.default_rng(1).random((32, 48, 48, 1), np.float32)
    files = {
        "fp16": to_fp16(tmp_path / "fp32.onnx", tmp_path / "fp16.onnx"),
        "int8": to_int8(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", rows),
    }
    expected = onnxruntime.InferenceSession(tmp_path / "fp32.onnx").run(None, {"input": rows})[0]
    start = (tmp_path / "fp32.onnx").stat().st_size
    for name, path in files.items():
        assert read_spec(path) == spec
        got = onnxruntime.InferenceSession(path).run(["emotion"], {"input": rows})[0]
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, atol=0.02)
        assert path.stat().st_size < {"fp16": 0.55, "int8": 0.4}[name] * start
    operators = {node.op_type for node in onnx.load(files["int8"]).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    scales = [tensor for tensor in onnx.load(files["int8"]).graph.initializer if tensor.name.endswith("scale")]
    assert max(int(np.prod(tensor.dims)) for tensor in scales) >= 32, "weights must be quantised per channel"


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    exported(cnn3(SMALL), tmp_path / "fp32.onnx")
    rows = np.random.default_rng(1).random((2, 48, 48, 1), np.float32)
    for convert in (to_fp16, lambda source, target: to_int8(source, target, rows)):
        target = tmp_path / "converted.onnx"
        target.write_bytes(b"the old one")
        with full_disk(20_000), pytest.raises(OSError, match="File too large"):
            convert(tmp_path / "fp32.onnx", target)
        assert target.read_bytes() == b"the old one"
        assert {file.name for file in tmp_path.iterdir()} == {"fp32.onnx", "converted.onnx"}


def test_quantising_leaves_the_logger_as_it_was(tmp_path: Path) -> None:
    exported(cnn3(SMALL), tmp_path / "fp32.onnx")
    level = logging.getLogger().level
    to_int8(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", np.zeros((2, 48, 48, 1), np.float32))
    assert logging.getLogger().level == level


def test_channel_pruning_makes_files_smaller_and_magnitude_pruning_does_not(tmp_path: Path) -> None:
    """Half the channels are a quarter of the weights; half the weights as zeros are as many as before."""
    model = cnn_best(SMALL)
    exported(model, tmp_path / "start.onnx")
    exported(prune_channels(model, 0.5), tmp_path / "channels.onnx")
    pruning = MagnitudePruning(0.5, 0, 1)
    pruning.set_model(model)
    pruning.finish()
    exported(model, tmp_path / "magnitude.onnx")
    sizes = {name: (tmp_path / f"{name}.onnx").stat().st_size for name in ("start", "channels", "magnitude")}
    assert sizes["magnitude"] == pytest.approx(sizes["start"], rel=0.01)
    assert sizes["channels"] < 0.3 * sizes["start"]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_compress_says_what_each_step_did(
    fer2013: Path, first_epoch: FirstEpoch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = first_epoch("fer2013_cnn3", tmp_path / "out")
    assert main(["compress", str(out), "--data", str(fer2013), "--epochs", "1", "--per-tensor"]) == 0
    folder = out / "compressed"
    scales = [one for one in onnx.load(folder / "int8.onnx").graph.initializer if one.name.endswith("scale")]
    assert max(int(np.prod(one.dims)) for one in scales) == 1, "one scale per tensor"
    steps = {step["name"]: step for step in json.loads((folder / "compression.json").read_text())}
    names = {"start", "magnitude", "linear-8bit", "channels", "fp16", "int8", "channels-fp16", "channels-int8"}
    assert set(steps) == names
    assert steps["magnitude"]["ratio"] == pytest.approx(2, rel=0.01)
    assert steps["magnitude"]["zipped"] < 0.75 * steps["start"]["zipped"]
    assert steps["channels"]["size"] < 0.4 * steps["start"]["size"]
    assert steps["start"]["speed"] == 1
    for step in steps.values():
        assert 0 <= step["accuracy"] <= 1
        assert step["milliseconds"] > 0
    assert "| channels-int8 |" in capsys.readouterr().out
    for name in names - {"start"}:
        assert read_spec(folder / f"{name}.onnx").heads[0].name == "emotion"


def test_export_writes_the_same_answers_again(
    first_epoch: FirstEpoch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = first_epoch("fer2013_dense", tmp_path / "out")
    assert main(["export", str(out), "--out", str(tmp_path / "again.onnx")]) == 0
    assert "equal to Keras within" in capsys.readouterr().out
    assert read_spec(tmp_path / "again.onnx") == read_spec(out / "model.onnx")
    rows = np.random.default_rng(1).random((3, 48, 48, 1), np.float32)
    answers = [
        onnxruntime.InferenceSession(path).run(None, {"input": rows})[0]
        for path in (tmp_path / "again.onnx", out / "model.onnx")
    ]
    np.testing.assert_array_equal(*answers)
