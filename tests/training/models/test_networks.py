"""The networks are those that the works describe, counted in parameters, and take the weights that people have."""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
import sys
import types
import zipfile
from dataclasses import replace
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.classification.recipe import ClassificationRecipe, Plateau
from training.errors import WeightsError
from training.models.backbones import WEIGHT_FILES, Head, transfer
from training.models.request import ModelRequest
from training.models.resnet import load_torchvision, resnet18, resnext50
from training.models.small import cnn3, cnn_best, dense
from training.models.weight_files import find_torchvision
from training.recipe import RunOptions, get_recipe

FER2013 = ModelRequest((48, 48, 1), {"emotion": 7}, "none")


def count(variables) -> int:  # type: ignore[no-untyped-def]
    return sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.mark.parametrize(
    ("build", "total", "frozen"), [(dense, 156_743, 0), (cnn3, 63_431, 0), (cnn_best, 8_434_439, 3_328)]
)
def test_parameters_are_those_of_the_fer2013_study(build, total: int, frozen: int) -> None:  # type: ignore[no-untyped-def]
    model = build(FER2013)
    assert model.count_params() == total
    assert count(model.non_trainable_weights) == frozen


def order(model) -> list[str]:  # type: ignore[no-untyped-def]
    """Layers that compute, in the order of the built model, with what matters of each."""
    told = {
        "Conv2D": lambda layer: f"conv {layer.filters} {layer.kernel_size[0]}x{layer.kernel_size[1]} {layer.padding}",
        "Dense": lambda layer: f"dense {layer.units}",
        "Dropout": lambda layer: f"dropout {layer.rate:g}",
    }
    found = []
    for layer in model.layers[1:]:
        kind = type(layer).__name__
        text = told[kind](layer) if kind in told else kind
        found.append(f"{text} {layer.activation.__name__}" if hasattr(layer, "activation") else text)
    return found


def test_the_best_network_has_the_layers_of_the_studys_table_in_its_order() -> None:
    """Convolution with ReLU, then batch norm, pooling, dropout; dense with ReLU, batch norm, dropout."""
    blocks = [
        [f"conv {filters} {side}x{side} same relu", "BatchNormalization", "MaxPooling2D", "dropout 0.25"]
        for filters, side in ((128, 3), (256, 3), (512, 5))
    ]
    dense_blocks = [[f"dense {units} relu", "BatchNormalization", "dropout 0.5"] for units in (256, 512)]
    assert order(cnn_best(FER2013)) == [*chain(*blocks), "Flatten", *chain(*dense_blocks), "dense 7 softmax"]


def test_the_other_networks_of_the_study_have_its_layers_too(vgg16_weights: Path) -> None:
    dense_layers = ["Flatten", "dense 64 relu", "dense 128 relu", "dense 7 softmax"]
    convolutions = [[f"conv 32 {side}x{side} valid relu", "MaxPooling2D"] for side in (5, 3, 5)]
    assert order(dense(FER2013)) == dense_layers
    assert order(cnn3(FER2013)) == [*chain(*convolutions), *dense_layers]
    recipe = get_recipe("fer2013_vgg16")
    vgg16 = recipe.build(ModelRequest((48, 48, 3), {"emotion": 7}, str(vgg16_weights)))  # type: ignore[attr-defined]
    head = [[f"dense {units} relu", "BatchNormalization", "dropout 0.5"] for units in (512, 128, 64)]
    assert order(vgg16)[-12:] == ["dropout 0.25", "Flatten", *chain(*head), "dense 7 softmax"]


@pytest.mark.parametrize("name", ["fer2013_dense", "fer2013_cnn3", "fer2013_cnn_best", "fer2013_vgg16"])
def test_recipes_of_the_fer2013_study_divide_pixels_by_255_and_hold_a_fifth_back(name: str) -> None:
    recipe: ClassificationRecipe = get_recipe(name)  # type: ignore[assignment]
    assert (recipe.input.scale, set(recipe.input.mean), set(recipe.input.std)) == (1 / 255, {0.0}, {1.0})
    assert recipe.validation == 0.2


def test_the_best_networks_rate_falls_with_the_accuracy() -> None:
    recipe: ClassificationRecipe = get_recipe("fer2013_cnn_best")  # type: ignore[assignment]
    assert recipe.plateau == Plateau(factor=0.1, patience=2, min_learning_rate=1e-5, monitor="accuracy")
    options = RunOptions(Path("data"), Path("out"))
    assert [recipe.batch_size_for(replace(options, balanced=one)) for one in (False, True)] == [64, 32]
    assert recipe.batch_size_for(replace(options, balanced=True, batch=8)) == 8


@pytest.mark.parametrize(("build", "total"), [(resnet18, 11_176_512), (resnext50, 22_979_904)])
def test_resnets_have_the_published_extractors(build, total: int) -> None:  # type: ignore[no-untyped-def]
    model = build(ModelRequest((224, 224, 3), {"emotion": 6, "gender": 2}, "none"))
    heads = (6 + 2) * (model.get_layer("emotion").kernel.shape[0] + 1)
    trainable = count(model.trainable_weights)
    assert trainable - heads == total
    assert set(model.output_names) == {"emotion", "gender"}


def write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    header, body = {}, b""
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [len(body), len(body) + tensor.nbytes]}
        body += tensor.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def torchvision_tensors() -> dict[str, np.ndarray]:
    """Random tensors under the names and in the shapes that torchvision's resnet18 has."""
    rng = np.random.default_rng(1)
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (1000, 512), "fc.bias": (1000,)}
    norms = {"bn1": 64}
    for stage in range(4):
        out = 64 << stage
        for block in range(2):
            name = f"layer{stage + 1}.{block}"
            into = out // 2 if stage and not block else out
            shapes |= {f"{name}.conv1.weight": (out, into, 3, 3), f"{name}.conv2.weight": (out, out, 3, 3)}
            norms |= {f"{name}.bn1": out, f"{name}.bn2": out}
            if into != out:
                shapes[f"{name}.downsample.0.weight"] = (out, into, 1, 1)
                norms[f"{name}.downsample.1"] = out
    for name, size in norms.items():
        shapes |= {f"{name}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {name: rng.random(shape, np.float32) for name, shape in shapes.items()}


class _Torch:
    """An instruction of torch's pickles: call ``name`` of ``module`` on ``arguments``."""

    def __init__(self, module: str, name: str, *arguments: object) -> None:
        self.arguments = arguments
        self.function = stand_in(module, name)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.function, self.arguments


def stand_in(module: str, name: str) -> type:
    """A class that pickles by the name of one that is not installed."""
    fake = sys.modules.setdefault(module, types.ModuleType(module))
    if not hasattr(fake, name):
        setattr(fake, name, type(name, (), {"__module__": module}))
    return getattr(fake, name)  # type: ignore[no-any-return]


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> object:
        return obj if isinstance(obj, tuple) and obj[:1] == ("storage",) else None


def write_state_dict(path: Path, tensors: dict[str, np.ndarray], old: bool) -> Path:
    """What ``torch.save(model.state_dict())`` writes: one storage per tensor, in either format."""
    known = {module: sys.modules.get(module) for module in ("torch", "torch._utils")}
    try:
        kind, named = stand_in("torch", "FloatStorage"), {}
        for number, (name, tensor) in enumerate(tensors.items()):
            storage = ("storage", kind, str(number), "cpu", tensor.size, *([None] if old else []))
            strides = tuple(step // 4 for step in tensor.strides)
            named[name] = _Torch("torch._utils", "_rebuild_tensor_v2", storage, 0, tensor.shape, strides, False, {})
        names = BytesIO()
        _Pickler(names, 2).dump(named)
    finally:
        for module, was in known.items():
            sys.modules.pop(module, None)
            sys.modules.update({module: was} if was else {})
    if old:
        starts = [pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
        keys = pickle.dumps([str(number) for number in range(len(tensors))], 2)
        numbers = [struct.pack("<q", tensor.size) + tensor.tobytes() for tensor in tensors.values()]
        path.write_bytes(b"".join((*starts, names.getvalue(), keys, *numbers)))
        return path
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", names.getvalue())
        for number, tensor in enumerate(tensors.values()):
            archive.writestr(f"archive/data/{number}", tensor.tobytes())
    return path


@pytest.fixture(scope="module")
def network() -> Any:
    """A ResNet18, built once; each test fills it anew."""
    return resnet18(ModelRequest((64, 64, 3), {"emotion": 6}, "none"))


def test_torchvision_weights_load_without_torch(network: Any, tmp_path: Path) -> None:
    tensors = torchvision_tensors()
    load_torchvision(network, write_safetensors(tmp_path / "model.safetensors", tensors))
    model = network
    kernel = np.asarray(model.get_layer("layer2.0.downsample.0").kernel)
    np.testing.assert_array_equal(kernel, tensors["layer2.0.downsample.0.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(
        np.asarray(model.get_layer("layer4.1.bn2").moving_variance), tensors["layer4.1.bn2.running_var"]
    )


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old format"])
def test_state_dicts_of_torch_load_without_torch(
    old: bool, network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found where torchvision puts them, and said once, with the digest."""
    tensors = torchvision_tensors()
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    path = write_state_dict(folder / "resnet18-0.pth", tensors, old)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    load_torchvision(network, find_torchvision("resnet18"))
    for name in ("layer2.0.downsample.0", "conv1"):
        kernel = np.asarray(network.get_layer(name).kernel)
        np.testing.assert_array_equal(kernel, tensors[f"{name}.weight"].transpose(2, 3, 1, 0))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert capsys.readouterr().out.count(f"weights: resnet18-0.pth, sha256 {digest}, in {folder}\n") == 1
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(WeightsError, match=r"resnet18-0\.pth: weights must be a whole"):
        load_torchvision(network, path)


def test_a_pickle_that_would_run_code_does_not(network: Any, tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
    with pytest.raises(WeightsError, match=r"evil\.pth: weights must be a whole state dict of torch, got os\.system"):
        load_torchvision(network, path)


def test_weights_that_do_not_fit_name_file_and_tensor(network: Any, tmp_path: Path) -> None:
    tensors = torchvision_tensors()
    del tensors["layer3.1.conv2.weight"]
    path = write_safetensors(tmp_path / "model.safetensors", tensors)
    with pytest.raises(WeightsError, match=r"model\.safetensors: tensors must hold layer3\.1\.conv2\.weight"):
        load_torchvision(network, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"model\.safetensors: weights must be a whole safetensors file"):
        load_torchvision(network, path)


def test_pretrained_extractor_is_frozen_and_its_file_is_used(vgg16_weights: Path) -> None:
    import keras

    build = transfer("VGG16", Head(units=(8,)))
    first = build(ModelRequest((48, 48, 3), {"emotion": 7}, str(vgg16_weights)))
    second = build(ModelRequest((64, 64, 3), {"emotion": 7}, str(vgg16_weights)))
    assert count(first.trainable_weights) == 512 * 8 + 8 + 8 * 7 + 7
    kernels = [np.asarray(m.get_layer("block5_conv3").kernel) for m in (first, second)]
    np.testing.assert_array_equal(*kernels)
    assert isinstance(first, keras.Model)


def test_weight_file_of_another_network_is_refused(vgg16_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError,
        match=r"vgg16\w*_notop\.weights\.h5: weights must fit xception without its .*; name "
        r"xception_weights_tf_dim_ordering_tf_kernels_notop\.h5, or pass --weights none",
    ):
        transfer("Xception", Head())(ModelRequest((71, 71, 3), {"emotion": 7}, str(vgg16_weights)))
    with pytest.raises(WeightsError, match="which is not there"):
        transfer("Xception", Head())(ModelRequest((71, 71, 3), {"emotion": 7}, str(tmp_path / "none.h5")))


@pytest.mark.parametrize("network", WEIGHT_FILES)
def test_unreachable_imagenet_weights_say_which_file_to_put_where(
    network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy address without a listener: the network is out of reach on any machine."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        transfer(network, Head())(ModelRequest((96, 96, 3), {"emotion": 7}, "imagenet"))
    assert WEIGHT_FILES[network] in str(caught.value)
    assert str(tmp_path / "models") in str(caught.value)


def test_networks_without_imagenet_weights_in_keras_say_where_to_get_them() -> None:
    with pytest.raises(WeightsError, match=r"timm/resnext50_32x4d\.tv_in1k"):
        resnext50(ModelRequest((64, 64, 3), {"emotion": 6}, "imagenet"))
