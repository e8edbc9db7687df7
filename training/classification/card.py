"""The model card that a run writes beside its model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ferserve.models.spec import ModelSpec
from training.classification.figures import parts_table
from training.classification.prepare import Parts
from training.classification.recipe import ClassificationRecipe
from training.common.checkpoint import CheckpointState
from training.evaluation.metrics import Predictions
from training.recipe import RunOptions

LIMITS = """\
Expressions are what a face shows, not what a person feels. Labels carry the taggers' culture and mistakes, and the
data set's mix of people is not that of your cameras. Not to be used to judge people at work or in education (EU AI
Act, Art. 5(1)(f)), nor to decide anything about a person."""


def write_run_card(
    path: Path,
    recipe: ClassificationRecipe,
    options: RunOptions,
    parts: Parts,
    spec: ModelSpec,
    state: CheckpointState,
    predictions: Mapping[str, Mapping[str, Predictions]],
    report: dict[str, Any],
) -> None:
    """Write the card in Markdown: work, data, training, figures, limits."""
    lines = [f"# {spec.name}", "", recipe.summary, "", f"Work: {recipe.work}", ""]
    lines += _data(parts, options, recipe)
    lines += _training(recipe, options, state)
    lines += _figures(recipe, options, predictions, report)
    lines += ["## Limits", "", LIMITS, ""]
    path.write_text("\n".join(lines))


def _data(parts: Parts, options: RunOptions, recipe: ClassificationRecipe) -> Iterator[str]:
    terms = parts.train.terms
    yield from ("## Data", "", f"{terms.name}. Terms: {terms.licence}. To get it: {terms.obtain}.", "")
    yield f"- training: {len(parts.train)} images {parts.train.counts()}"
    watched = "picks the best epoch" if parts.selects else "watched only; the last epoch is kept"
    yield f"- validation: {len(parts.validation)} images ({watched})"
    yield from (f"- {name}: {len(part)} images" for name, part in parts.tests.items())
    if parts.train.subject is not None:
        by = options.split_by or recipe.split_by
        note = "" if by == "person" else ": the same people stand on both sides, which flatters the figures"
        yield f"- split by {by}{note}"
    yield from ("", "```", *parts.audit.lines(0), "```", "")


def _training(recipe: ClassificationRecipe, options: RunOptions, state: CheckpointState) -> Iterator[str]:
    yield from (
        "## Training",
        "",
        f"- recipe `{recipe.name}`, seed {options.seed}, {state.epoch} epochs done",
    )
    yield f"- the recipe's own: {recipe.epochs} epochs, Adam {recipe.learning_rate:g}, {recipe.plateau or 'fixed rate'}"
    weights = options.weights or recipe.weights
    yield f"- batches of {recipe.batch_size_for(options)}; initial weights: {weights}, {options.init or 'Keras’s own'}"
    yield f"- augmentation: {recipe.augmentation}"
    yield f"- kept: {state.best} (of {state.last})"
    yield from ("", "![curves](curves.png)", "", "![images by class](classes.png)", "")


def _figures(
    recipe: ClassificationRecipe,
    options: RunOptions,
    predictions: Mapping[str, Mapping[str, Predictions]],
    report: dict[str, Any],
) -> Iterator[str]:
    yield from ("## Figures", "", parts_table(report), "")
    yield from (f"The work reports {name}: {value:g} %." for name, value in recipe.published_for(options).items())
    yield f"Largest difference of `model.onnx` to Keras on real images: {report['onnx_difference']:.1e}."
    if "cost" in report:
        yield from ("", "Cost over the test set:", "")
        yield from (f"- {name}: {value}" for name, value in report["cost"].items())
    for part, heads in predictions.items():
        for head, predicted in heads.items():
            yield from ("", f"### {part}, {head}", "", "```", predicted.text().rstrip(), "```", "")
            yield f"![confusion matrix](confusion-{part}-{head}.png)"
    yield ""
