"""The emotion_lite recipe on tiny sets: targets, augmentation, training that learns, resumes, exports and is judged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="training needs the training extra")
pytest.importorskip("onnx", reason="training needs the training extra")

import keras

from ferserve.labels import FER2013, FERPLUS
from ferserve.models.store import BUNDLED_DIR, ModelStore
from tests.training.emotion_lite.sets import TINY, make_faces
from training import __main__ as command
from training.common.export import read_spec
from training.emotion_lite.ablation import table
from training.emotion_lite.card import write_bundled_card
from training.emotion_lite.fit import (
    FitOptions,
    Trainer,
    learning_rate,
    predict_logits,
    read_average,
    read_history,
)
from training.emotion_lite.job import train_model
from training.emotion_lite.quantize import quantize_classifier
from training.emotion_lite.robustness import jittered_rows, robustness
from training.emotion_lite.voted_samples import load_voted_samples, make_targets
from training.errors import CheckpointError, TrainingError
from training.evaluation.evaluate import evaluate
from training.evaluation.labelled import load_labelled
from training.evaluation.served_model import ServedModel
from training.models.emotion_lite import build_model
from training.models.emotion_stages import HEADS, LITE, count_macs
from training.recipes.emotion_lite import RECIPE

RELEASED_FILE, RELEASED_SETTINGS = "138c071dbd544b85", "94ef80e2fa0b2677"
"""Of the recipe whose models are bundled: its file when they were made, and its settings, as ``repr`` shows them."""


def test_rate_rises_then_falls_to_zero() -> None:
    options = FitOptions(peak_rate=0.1, warmup=0.1)
    rates = [learning_rate(step, 100, options) for step in range(100)]
    assert rates.index(max(rates)) == pytest.approx(10, abs=1)
    assert max(rates) == pytest.approx(0.1)
    assert rates[-1] < 1e-4


@pytest.mark.parametrize("name", ["emotion-lite", "emotion-lite-int8"])
def test_bundled_files_name_the_recipe_that_made_them(name: str) -> None:
    """They name its file of then; imports and prose have changed since, settings must not."""
    assert read_spec(BUNDLED_DIR / f"{name}.onnx").recipe_sha256[:16] == RELEASED_FILE
    assert hashlib.sha256(repr(RECIPE).encode()).hexdigest()[:16] == RELEASED_SETTINGS


def test_bundled_network_is_within_its_budget() -> None:
    assert build_model(LITE).count_params() <= 750_000  # a file holds both halves of the kernels
    assert count_macs(LITE) <= 33e6


def test_an_interrupted_run_goes_on(data: Path, tmp_path: Path) -> None:
    train, test = load_voted_samples(data)
    targets = make_targets(train)
    train_model(TINY, train.images, targets, test, FitOptions(epochs=1, batch_size=32, meet_every=4), tmp_path)
    train_model(TINY, train.images, targets, test, FitOptions(epochs=2, batch_size=32), tmp_path)
    assert [record["epoch"] for record in read_history(tmp_path)] == [1, 2]


def test_a_stopped_run_ends_where_a_whole_one_does(data: Path, tmp_path: Path) -> None:
    """Dropout too depends on seed and epoch alone."""
    train, _ = load_voted_samples(data)
    options = FitOptions(epochs=2, batch_size=32, meet_every=1, ema=0.5)

    def trainer(out: Path) -> Trainer:
        keras.utils.set_random_seed(1)
        return Trainer(build_model(TINY), out, options)

    def stop(model: keras.Model) -> dict[str, float]:
        if (tmp_path / "parts" / "state.npz").exists():
            raise KeyboardInterrupt
        return {}

    trainer(tmp_path / "whole").run(train.images, make_targets(train), lambda model: {})
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "parts").run(train.images, make_targets(train), stop)
    resumed = trainer(tmp_path / "parts")
    assert resumed.resume()
    resumed.run(train.images, make_targets(train), lambda model: {})
    for whole, parts in zip(read_average(tmp_path / "whole"), read_average(tmp_path / "parts"), strict=True):
        np.testing.assert_allclose(parts, whole, atol=1e-3)


def test_an_epoch_that_diverged_leaves_the_good_state(data: Path, tmp_path: Path) -> None:
    train, test = load_voted_samples(data)
    targets, options = make_targets(train), FitOptions(epochs=1, batch_size=32)
    train_model(TINY, train.images, targets, test, options, tmp_path)
    with pytest.raises(TrainingError, match="loss must be a finite number, got nan in epoch 2"):
        train_model(TINY, train.images, targets, test, replace(options, epochs=2, peak_rate=np.nan), tmp_path)
    assert [record["epoch"] for record in read_history(tmp_path)] == [1]


def test_a_state_that_does_not_belong_to_the_run_is_named(data: Path, tmp_path: Path) -> None:
    train, test = load_voted_samples(data)
    targets, options = make_targets(train), FitOptions(epochs=1, batch_size=32)
    train_model(TINY, train.images, targets, test, options, tmp_path)
    with pytest.raises(CheckpointError, match="must be those of the run to resume"):
        train_model(TINY, train.images[:64], targets[:64], test, options, tmp_path)
    with pytest.raises(CheckpointError, match="state must be a whole one of this network"):
        train_model(TINY[:1], train.images, targets, test, options, tmp_path)
    state = tmp_path / "state.npz"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="state must be a whole one of this network"):
        train_model(TINY, train.images, targets, test, options, tmp_path)


def test_a_tiny_network_learns_and_its_file_says_what_it_is(released: Path, data: Path) -> None:
    model = ServedModel(released / "emotion-lite.onnx")
    assert model.spec.heads[0].name == "emotion"
    assert model.spec.heads[0].labels == FERPLUS
    assert [head.name for head in model.spec.heads] == ["emotion", "emotion_ferplus", *list(HEADS)[1:]]
    assert model.spec.metrics["fer2013/public_test/accuracy"] > 0.9
    found = evaluate(model.path, data, "ferplus", flip=True, seconds=0.0)
    assert found.scores.rows == 160
    assert found.scores.accuracy > 0.9


def test_int8_answers_almost_as_float_does(released: Path, data: Path) -> None:
    train, test = load_voted_samples(data)
    source, target = released / "emotion-lite.onnx", released / "emotion-lite-int8.onnx"
    quantize_classifier(source, target, train.images[:64])
    exact, small = ServedModel(source), ServedModel(target)
    assert small.spec.name == "emotion-lite-int8"
    rows = exact.rows(test.images)
    head = exact.spec.heads[0]
    assert np.abs(exact.probabilities(rows, head) - small.probabilities(rows, head)).max() < 0.1


def test_evaluate_prints_one_json_object(released: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(released / "emotion-lite.onnx")
    assert command.main(["evaluate", model, "--data", str(data), "--head", "fer2013", "--flip", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert {"accuracy", "accuracy_ci95", "per_class", "ece", "images_per_second", "flip_consistency"} <= set(value)
    assert set(value["per_class"]) == set(FER2013)
    assert value["images_per_second"] > 0


def test_a_missing_head_is_named(released: Path) -> None:
    model = ServedModel(released / "emotion-lite.onnx")
    object.__setattr__(model.spec, "heads", model.spec.heads[:1])
    with pytest.raises(TrainingError, match="labels of fer2013"):
        model.head("fer2013")


def test_logits_are_the_same_however_they_are_batched(data: Path) -> None:
    _, test = load_voted_samples(data)
    model = build_model(TINY)
    whole = predict_logits(model, test.images, exact=True)
    parts = predict_logits(model, test.images, exact=True, batch_size=7)
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_a_mirrored_face_gets_the_same_answer() -> None:
    model = build_model(LITE)
    rng = np.random.default_rng(0)
    # Not the initial weights: with those, a forgotten half would go unseen.
    model.set_weights([w + rng.normal(0, 0.05, w.shape).astype(w.dtype) ** 2 for w in model.get_weights()])
    images = make_faces(8)["images"]
    images[:, :, 20:] //= 2
    logits = predict_logits(model, images, exact=True)
    mirrored = predict_logits(model, images[:, :, ::-1], exact=True)
    np.testing.assert_allclose(logits, mirrored, atol=1e-5 * np.abs(logits).max())
    assert np.ptp(logits, axis=0).max() > 0.01 * np.abs(logits).max()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_one_epoch_of_each_generation_ends_in_a_served_model(photographs: Path, tmp_path: Path) -> None:
    data = tmp_path / "faces.npz"
    np.savez(data, **make_faces(72))
    argv = ["run", "emotion_lite", "--data", str(data), "--out", str(tmp_path), "--epochs", "1", "--limit", "32"]
    assert command.main([*argv, "--faces", str(photographs)]) == 0
    store = ModelStore()
    assert store.add(tmp_path).path == tmp_path / "emotion-lite.onnx"
    assert store.get("emotion-lite").spec.recipe == "emotion_lite"
    assert store.get("emotion-lite-int8").path == tmp_path / "emotion-lite-int8.onnx"
    for name in ("emotion-lite.keras", "emotion-lite.h5", "curves.png", "generation0/curves.png", "emotion-lite.md"):
        assert (tmp_path / name).stat().st_size > 1000


def test_an_ablation_table_tells_differences_to_the_base() -> None:
    text = table({"base": {"fer2013": 0.6, "ferplus": 0.8}, "less": {"fer2013": 0.58, "ferplus": 0.81}})
    assert "| less | 58.0 % | -2.0 | 81.0 % | +1.0 |" in text


def test_robustness_changes_only_what_it_names(released: Path, data: Path) -> None:
    model, rows = ServedModel(released / "emotion-lite.onnx"), load_labelled(data, "fer2013")
    found = robustness(model, "fer2013", rows, seeds=1)
    assert found["face 48 px"] == found["as it is"]
    straight = jittered_rows(model, rows.images, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(straight, model.rows(rows.images), atol=1e-4)
    assert all(0 <= share <= 1 for share in found.values())


def test_the_card_holds_every_figure_and_picture(released: Path, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    train, _ = load_voted_samples(data)
    source = tmp_path / "emotion-lite.onnx"
    source.write_bytes((released / "emotion-lite.onnx").read_bytes())
    quantize_classifier(source, tmp_path / "emotion-lite-int8.onnx", train.images[:64])
    card = write_bundled_card(tmp_path, data, rounds=1, seeds=1).read_text()
    for label in (*FERPLUS, *FER2013):
        lines = [line for line in card.splitlines() if line.startswith(f"| {label} |")]
        assert len(lines) == (label in FERPLUS) + 2 * (label in FER2013)
        *classes, posed = lines if label in FER2013 else (*lines, "")
        assert all(line.count("|") == 9 for line in classes), "three figures of each file"
        assert not posed or posed.count("|") == 8, "recall by each head of each file"
    assert "| sure of |" in card
    for picture in ("confusion-ferplus", "confusion-fer2013", "reliability"):
        assert (tmp_path / f"emotion-lite-{picture}.png").stat().st_size > 1000
        assert f"emotion-lite-{picture}.png" in card
