"""Runs a declared recipe from data to a folder that can be served."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np

from ferserve.models.spec import HeadSpec, ModelSpec
from training.classification.batches import Batches
from training.classification.card import write_run_card
from training.classification.figures import mean_probabilities, part_figures
from training.classification.input_pipeline import fit
from training.classification.manifest import write_manifest
from training.classification.prepare import Parts, prepare
from training.classification.recipe import ClassificationRecipe
from training.common.checkpoint import Checkpoint, CheckpointState, load_model, load_state, save_bare
from training.common.export import export_onnx
from training.common.magnitude_pruning import MagnitudePruning
from training.common.pixels import PixelRows
from training.common.plots import plot_classes, plot_confusion, plot_curves
from training.common.reseed import Reseed
from training.data.samples import Samples
from training.errors import CheckpointError, TrainingError
from training.evaluation.metrics import Predictions
from training.models.request import ModelRequest
from training.recipe import RunOptions

PredictionsOfParts: TypeAlias = Mapping[str, Mapping[str, Predictions]]
"""By test part, then by head."""
CHECKED_IMAGES = 64
"""Test images on which the exported model must answer as Keras does."""


def run_recipe(recipe: ClassificationRecipe, options: RunOptions) -> Path:
    """Train ``recipe``, write models, reports and card into ``options.out``, and return that folder."""
    state = _state(recipe, options)
    keras.utils.set_random_seed(options.seed)
    parts = prepare(recipe, options)
    options.out.mkdir(parents=True, exist_ok=True)
    write_manifest(recipe.name, options)
    (options.out / "audit.txt").write_text("\n".join(parts.audit.lines(None)) + "\n")
    model = _fit(recipe, options, parts, state)
    predictions = {name: answer(model, part, recipe, options) for name, part in parts.tests.items()}
    _deliver(recipe, options, parts, model, state, predictions)
    return options.out


def _state(recipe: ClassificationRecipe, options: RunOptions) -> CheckpointState:
    """The state to start from: that of ``--out`` with ``--resume``, else a new one."""
    folder = options.out / "checkpoints"
    state = load_state(folder, recipe.name, options.seed)
    if state is not None and not options.resume:
        raise CheckpointError(f"{folder}: folder must hold no run, got one of {state.recipe}; --resume it or move it")
    return state or CheckpointState(recipe.name, options.seed)


def _fit(recipe: ClassificationRecipe, options: RunOptions, parts: Parts, state: CheckpointState) -> Any:
    """Train to the last epoch; returns the best epoch's model."""
    folder = options.out / "checkpoints"
    epochs = options.epochs or recipe.epochs
    train = Batches(
        parts.train,
        recipe.input,
        recipe.batch_size_for(options),
        recipe.augmentation,
        options.seed,
        first_epoch=state.epoch,
    )
    model = (
        load_model(folder / state.last)
        if state.last
        else compiled(recipe, options.weights or recipe.weights, parts.train, options.init)
    )
    if state.epoch < epochs:
        fit(
            model,
            train,
            validation_data=Batches(parts.validation, recipe.input, recipe.batch_size),
            initial_epoch=state.epoch,
            epochs=epochs,
            callbacks=_callbacks(recipe, options, parts, state, epochs * len(train)),
            verbose="auto" if sys.stdout.isatty() else 2,
        )
    return model if state.best == state.last else load_model(folder / state.best)


def compiled(recipe: ClassificationRecipe, weights: str, samples: Samples, init: str | None = None) -> Any:
    """The recipe's network for the heads of ``samples``, compiled; ``init`` None leaves Keras's own initializer."""
    heads = {head: len(labels) for head, labels in samples.labels.items()}
    height, width, channels = recipe.input.row_shape
    request = ModelRequest((height, width, channels), heads, weights)
    model = recipe.build(request if init is None else replace(request, init=init))
    loss = "sparse_categorical_crossentropy"
    model.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss=loss if len(heads) == 1 else dict.fromkeys(heads, loss),
        metrics=["accuracy"] if len(heads) == 1 else {head: ["accuracy"] for head in heads},
    )
    return model


def _callbacks(
    recipe: ClassificationRecipe, options: RunOptions, parts: Parts, state: CheckpointState, steps: int
) -> list[Any]:
    callbacks: list[Any] = [keras.callbacks.TerminateOnNaN(), Reseed(options.seed)]
    plateau = None
    if recipe.plateau is not None:
        plateau = keras.callbacks.ReduceLROnPlateau(
            factor=recipe.plateau.factor,
            monitor=recipe.plateau.monitor,
            patience=recipe.plateau.patience,
            min_lr=recipe.plateau.min_learning_rate,
            verbose=1,
        )
        callbacks.append(plateau)
    if recipe.pruning is not None:
        begin, end = int(recipe.pruning.begin * steps), int(recipe.pruning.end * steps)
        callbacks.append(MagnitudePruning(recipe.pruning.sparsity, begin, end))
    monitor = recipe.monitor if parts.selects and recipe.pruning is None else None
    callbacks.append(Checkpoint(options.out / "checkpoints", state, monitor, plateau))
    callbacks.append(keras.callbacks.TensorBoard(str(options.out / "logs"), write_graph=False))
    return callbacks


def answer(model: Any, samples: Samples, recipe: ClassificationRecipe, options: RunOptions) -> dict[str, Predictions]:
    """Answers of ``model`` to ``samples``, by head."""
    outputs = model.predict(Batches(samples, recipe.input, recipe.batch_size), verbose=0)
    if not isinstance(outputs, dict):
        outputs = {samples.head: outputs}
    return {head: Predictions(labels, samples.targets[head], outputs[head]) for head, labels in samples.labels.items()}


def _deliver(
    recipe: ClassificationRecipe,
    options: RunOptions,
    parts: Parts,
    model: Any,
    state: CheckpointState,
    predictions: PredictionsOfParts,
) -> None:
    """Write model files, reports, plots and the card."""
    out = options.out
    spec = run_spec(recipe, parts.train, predictions)
    save_bare(model, out / "model.keras", out / "model.h5")
    some = next(iter(parts.tests.values()))
    inputs = PixelRows(some.images, recipe.input, 0).take(np.arange(min(CHECKED_IMAGES, len(some))))
    difference = export_onnx(model, out / "model.onnx", spec, inputs)
    plot_curves(state.history, out / "curves.png", recipe.name)
    plot_classes({name: part.counts() for name, part in parts.by_name.items()}, out / "classes.png", recipe.name)
    report = _report(parts, state, predictions) | {"onnx_difference": difference}
    for part, heads in predictions.items():
        for head, predicted in heads.items():
            plot_confusion(
                predicted.confusion,
                predicted.labels,
                out / f"confusion-{part}-{head}.png",
                f"{recipe.name}, {part}, {head}",
            )
            (out / f"report-{part}-{head}.txt").write_text(f"{predicted.text()}\nloss {predicted.loss:.4f}\n")
            print(f"{part}, {head}:\n{predicted.text()}")
    if recipe.measure is not None:
        try:
            report["cost"] = recipe.measure(out / "model.onnx", some, recipe.input)
        except TrainingError as error:  # everything else of the run is whole
            report["cost"] = {"not measured": str(error)}
    (out / "report.json").write_text(json.dumps(report, indent=1))
    write_run_card(out / "MODEL_CARD.md", recipe, options, parts, spec, state, predictions, report)


def _report(parts: Parts, state: CheckpointState, predictions: PredictionsOfParts) -> dict[str, Any]:
    """What ``report.json`` holds, save for the figures of the exported file."""
    sizes = {name: len(part) for name, part in parts.by_name.items() if name not in parts.tests}
    found = [(part, head, one) for part, heads in predictions.items() for head, one in heads.items()]
    return {
        "history": state.history,
        "figures": part_figures(state.history, state.best_epoch, sizes, predictions),
        "parts": {part: {head: one.report() for head, one in heads.items()} for part, heads in predictions.items()},
        "probabilities": [
            {"part": part, "head": head, "labels": list(one.labels), "means": mean_probabilities(one)}
            for part, head, one in found
        ],
    }


def run_spec(recipe: ClassificationRecipe, train: Samples, predictions: PredictionsOfParts) -> ModelSpec:
    """Spec of the exported file."""
    name = train.terms.name.lower()
    metrics = {
        f"{name}/{part}/{'accuracy' if head == train.head else f'{head}_accuracy'}": round(predicted.accuracy, 6)
        for part, heads in predictions.items()
        for head, predicted in heads.items()
    }
    return replace(
        untrained_spec(recipe, train.labels),
        license=f"weights trained on {train.terms.name}: {train.terms.licence}",
        trained_on=(train.terms.name,),
        metrics=metrics,
    )


def untrained_spec(recipe: ClassificationRecipe, labels: Mapping[str, tuple[str, ...]]) -> ModelSpec:
    """Spec of an untrained network of ``recipe``."""
    return ModelSpec(
        name=recipe.name.replace("_", "-"),
        version="1",
        input=replace(recipe.input, name="input"),
        heads=tuple(HeadSpec(head, names, output=head) for head, names in labels.items()),
        description=recipe.summary,
        recipe=recipe.name,
        recipe_sha256=_source_sha256(recipe.name),
    )


def _source_sha256(name: str) -> str:
    source = inspect.getsource(importlib.import_module(f"training.recipes.{name}"))
    return hashlib.sha256(source.encode()).hexdigest()
