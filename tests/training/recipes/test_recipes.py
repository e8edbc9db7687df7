"""Every recipe runs for one epoch on a small set in its real format and ends in a model that the product opens."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from ferserve.models.store import ModelStore
from tests.training import sets
from tests.training.narrow import narrow
from training.__main__ import main
from training.common.export import TOLERANCE
from training.recipe import recipe_summaries

DATA = {
    "fer2013": lambda path: sets.fer2013_csv(path, per_class=4),
    "jaffe": lambda path: sets.jaffe(path),
    "faces": lambda path: sets.faces(path, persons=9),
    "three": lambda path: sets.class_folders(path),
    "light": lambda path: sets.fer2013_csv(path, per_class=4),
}
"""Makes the data of the recipes whose name begins so."""
LIMITS = {"fer2013": 28, "jaffe": 14, "faces": 12, "three": 9, "light": 14}
"""Training images."""
OURS = [name for name in recipe_summaries() if name.split("_")[0] in DATA]
FROZEN = {
    "jaffe_vgg16": "VGG16",
    "jaffe_resnet50": "ResNet50",
    "jaffe_inceptionv3": "InceptionV3",
    "three_vgg16": "VGG16",
    "fer2013_vgg16": "VGG16",
}
"""Recipes that train a head on a pretrained network, which then comes from a file as for --weights FILE."""


SIDES = {"jaffe_inceptionv3": 75, "jaffe": 64, "faces": 64, "three": 64}
"""Side in pixels of the pictures, by recipe or its first word: none of the assertions is about the size."""
DEEP = ("faces_resnet18", "faces_resnext50", "jaffe_inceptionv3", "jaffe_resnet50", "light_fer")
"""Networks whose one training step takes TensorFlow many times as long to compile as to run."""


@pytest.fixture
def small_recipe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The recipe's name, for which the command line finds the recipe with small pictures and few channels."""
    import tensorflow as tf

    name: str = request.param
    module = importlib.import_module(f"training.recipes.{name}")
    side = SIDES.get(name, SIDES.get(name.split("_")[0]))
    recipe = replace(module.RECIPE, build=narrow(module.RECIPE.build))
    if side is not None:
        recipe = replace(recipe, input=replace(recipe.input, height=side, width=side))
    monkeypatch.setattr(module, "RECIPE", recipe)
    tf.config.run_functions_eagerly(name in DEEP)
    yield name
    tf.config.run_functions_eagerly(False)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`:UserWarning")
@pytest.mark.parametrize("small_recipe", OURS, indirect=True)
def test_one_epoch_ends_in_a_served_model(
    small_recipe: str, tmp_path: Path, extractor_weights: Callable[..., Path]
) -> None:
    name = small_recipe
    data = DATA[name.split("_")[0]](tmp_path / "data")
    weights = str(extractor_weights(FROZEN[name], narrow)) if name in FROZEN else "none"
    out = tmp_path / "out"
    argv = ["run", name, "--data", str(data), "--out", str(out), "--epochs", "1", "--weights", weights]
    argv += ["--limit", str(LIMITS[name.split("_")[0]])]

    assert main(argv) == 0

    model = ModelStore(out).get(name.replace("_", "-"))
    assert model.spec.recipe == name
    assert len(model.spec.recipe_sha256) == 64
    check_files(out, list(model.spec.metrics))
    check_answers(model.path, model.spec)


def check_files(out: Path, metrics: list[str]) -> None:
    """Everything that a run promises is there and says something."""
    for file in ("model.keras", "model.h5", "model.onnx", "curves.png", "MODEL_CARD.md", "report.json", "audit.txt"):
        assert (out / file).stat().st_size > 0, file
    assert list((out / "logs").rglob("events.out.tfevents.*"))
    report = json.loads((out / "report.json").read_text())
    assert report["onnx_difference"] <= TOLERANCE
    assert len(report["history"]["loss"]) == 1
    for metric in metrics:
        part = metric.split("/")[1]
        for head, judged in report["parts"][part].items():
            assert {"precision", "recall", "f1-score", "support"} <= set(judged["macro avg"])
            assert (out / f"confusion-{part}-{head}.png").stat().st_size > 0
            assert "precision" in (out / f"report-{part}-{head}.txt").read_text()


def check_answers(path: Path, spec) -> None:  # type: ignore[no-untyped-def]
    """The file answers any batch size with probabilities for each head, under the names of its spec."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        rows = np.zeros((batch, *spec.input.row_shape), np.float32)
        outputs = session.run([head.output for head in spec.heads], {spec.input.name: rows})
        for head, output in zip(spec.heads, outputs, strict=True):
            assert output.shape == (batch, len(head.labels))
            np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-5)


def test_every_recipe_documents_itself() -> None:
    for name in OURS:
        text = importlib.import_module(f"training.recipes.{name}").__doc__ or ""
        for part in ("Source:", "Command:", "Expected time:", "Expected accuracy:"):
            assert part in text, f"{name} lacks {part}"
        assert f"run {name} " in text
