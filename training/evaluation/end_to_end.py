"""The whole pipeline on labelled faces: frame, detector, crop, label, beside the same faces as ready crops.

Labelled crops are placed in frames (:mod:`training.evaluation.scenes`) and go through a real engine twice: with the
square that the crop fills there as a known box, and without, so that the detector finds it. What the first loses is
the camera's doing, what the second loses beyond it is the box's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferserve.config import EngineConfig
from ferserve.local import LocalClient
from ferserve.types import Face
from training.evaluation.labelled import Labelled, load_labelled
from training.evaluation.scenes import Host, Scene, read_hosts, render
from training.evaluation.served_model import ServedModel, label_set_of

Answers = dict[str, NDArray[np.float32]]
"""(N, K) probabilities by head; NaN for a face that was not found."""

CONDITIONS: dict[str, Scene] = {
    "the crop is the frame": Scene(surroundings="none"),
    "on grey": Scene(surroundings="grey"),
    "its edges repeated": Scene(surroundings="edges"),
    "in a photograph, face 96 px": Scene(),
    **{f"face {side} px": Scene(face_px=side) for side in (24, 32, 48, 64, 128, 192)},
    "face 64 px in 1280x720": Scene(face_px=64, frame=(1280, 720)),
    "face 128 px in 1280x720": Scene(face_px=128, frame=(1280, 720)),
    **{f"roll {degrees} degrees": Scene(roll_deg=degrees) for degrees in (10, 20, 30)},
    "blur, sigma 2 % of the face": Scene(blur=0.02),
    "blur, sigma 4 % of the face": Scene(blur=0.04),
    **{f"JPEG quality {quality}": Scene(quality=quality) for quality in (50, 20)},
    "a quarter of the light": Scene(light=0.25),
    "a sixteenth of the light": Scene(light=1 / 16),
}
"""Scenes by name; faces of 96 px in photographs of 640x480, if nothing else is said."""
BASE = "in a photograph, face 96 px"
SAME_FACE_IOU = 0.3
"""A found box that overlaps the crop's square by this much shows its face."""
POSES = {"nose between the eyes": (0.0, 0.1), "turned a little": (0.1, 0.25), "turned further": (0.25, math.inf)}
"""Ranges of the nose's distance from the middle of the eyes, along their line, part of their distance."""


@dataclass(frozen=True)
class Row:
    """Figures of one condition. Shares from 0 to 1; all accuracies are on the faces that were found."""

    condition: str
    faces: int
    found: float
    """Share of the faces that the detector found."""
    ready: float
    """Accuracy on the ready crops."""
    known: float
    """Accuracy in the frame, at the crop's own square."""
    pipeline: float
    """Accuracy in the frame, at the box that was found."""

    @property
    def loss(self) -> float:
        """What the pipeline loses against ready crops."""
        return self.ready - self.pipeline


@dataclass(frozen=True)
class Condition:
    """Answers to N faces under one condition."""

    known: Answers
    found: Answers
    turned: NDArray[np.float32]
    """(N,) how far the nose is from the middle of the eyes; NaN for a face that was not found."""


@dataclass(frozen=True)
class EndToEnd:
    """Answers of one model to N faces: as ready crops, and under each condition."""

    rows: NDArray[np.intp]
    """(N,) their row numbers in the file."""
    ready: Answers
    conditions: dict[str, Condition]


def run_pipeline(
    model: Path, faces: Labelled, photographs: Path | None = None, conditions: Sequence[str] = (),
    detector: str = "face-lite",
) -> EndToEnd:  # fmt: skip
    """Send ``faces`` through the pipeline with ``model`` under ``conditions``, all by default.

    Each face gets the same place, photograph and noise in every run. Raises
    :class:`ferserve.errors.FerserveError` for an unknown model, or a folder without faces.
    """
    hosts = read_hosts(photographs) if photographs else []
    chosen = {name: CONDITIONS[name] for name in conditions or CONDITIONS}
    engine = EngineConfig(model=str(model), detector=detector, threads=1, max_batch_size=1)
    whole = [0, 0, faces.images.shape[2], faces.images.shape[1]]
    with LocalClient(engine) as client:
        crops = [client.classify(image, boxes=[whole]).faces[0] for image in faces.images]
        nothing = {head.name: np.full(len(head.labels), np.nan, np.float32) for head in crops[0].heads}
        answered = {name: _under(client, scene, faces, hosts, nothing) for name, scene in chosen.items()}
    return EndToEnd(faces.rows, _gather(crops, nothing), answered)


def _under(client: LocalClient, scene: Scene, faces: Labelled, hosts: Sequence[Host], nothing: Answers) -> Condition:
    known, found = [], []
    for number, image in zip(faces.rows.tolist(), faces.images, strict=True):
        frame, square = render(image, scene, hosts, np.random.default_rng(number))
        known.append(client.classify(frame, boxes=[square]).faces[0])
        found.append(_best(client.classify(frame).faces, square))
    return Condition(
        _gather(known, nothing), _gather(found, nothing), np.array([_turned(face) for face in found], np.float32)
    )


def _gather(faces: Sequence[Face | None], nothing: Answers) -> Answers:
    rows = [{h.name: h.probabilities for h in face.heads} if face else nothing for face in faces]
    return {name: np.stack([row[name] for row in rows]) for name in nothing}


def _best(faces: Sequence[Face], square: NDArray[np.float32]) -> Face | None:
    """The face that overlaps ``square`` most, None if no face overlaps it enough."""
    overlaps = [_iou(np.asarray(face.box, np.float32), square) for face in faces]
    return faces[int(np.argmax(overlaps))] if max(overlaps, default=0.0) >= SAME_FACE_IOU else None


def _iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.maximum(sides, 0).prod())
    return shared / float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared)


def _turned(face: Face | None) -> float:
    if face is None or face.landmarks is None:
        return math.nan
    one, other, nose = face.landmarks[:3].astype(np.float64)
    line = other - one
    return abs(float((nose - (one + other) / 2) @ line / max(float(line @ line), 1e-9)))


def condition_table(measured: EndToEnd, data: Labelled, served: ServedModel, head: str, label_set: str) -> list[Row]:
    """One row per condition; then, under :data:`BASE` if it was among them, one per head pose and group of people.

    ``data`` holds the truth of faces that were ``measured``, all of them or some.
    """
    chosen, at = served.head(head), np.searchsorted(measured.rows, data.rows)

    def right(answers: Answers) -> NDArray[np.bool_]:
        told = served.ordered(answers[chosen.name][at], chosen, label_set)
        return np.asarray(told.argmax(axis=1) == data.truth)

    ready = right(measured.ready)

    def row(name: str, under: Condition, wanted: NDArray[np.bool_]) -> Row:
        found = ~np.isnan(under.found[chosen.name][at, 0])
        seen = found & wanted
        share = float(found[wanted].mean()) if wanted.any() else math.nan
        figures = (_mean(a[seen]) for a in (ready, right(under.known), right(under.found)))
        return Row(name, int(wanted.sum()), share, *figures)

    table = [row(name, under, np.ones(len(at), np.bool_)) for name, under in measured.conditions.items()]
    if BASE in measured.conditions:
        under = measured.conditions[BASE]
        table += [row(name, under, wanted) for name, wanted in _parts(under.turned[at], data)]
    return table


def _parts(turned: NDArray[np.float32], data: Labelled) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Names and rows (N,) of head poses, and of groups of people if the data has them."""
    for name, (low, high) in POSES.items():
        yield name, (turned >= low) & (turned < high)
    if data.groups is not None:
        for group in np.unique(data.groups):
            yield f"group {group}", data.groups == group


def _mean(right: NDArray[np.bool_]) -> float:
    return float(right.mean()) if len(right) else math.nan


def evaluate_end_to_end(
    model: Path, data: Path, head: str = "ferplus", labels: str | None = None, split: str = "test",
    photographs: Path | None = None, limit: int | None = None,
) -> list[Row]:  # fmt: skip
    """Measure one head of ``model`` within the pipeline on at most ``limit`` faces, evenly spread over a split."""
    served = ServedModel(model)
    label_set = labels or label_set_of(served.head(head))
    faces = load_labelled(data, label_set, split).take(limit)
    return condition_table(run_pipeline(model, faces, photographs), faces, served, head, label_set)


def points(value: float) -> str:
    """A share in percent with one decimal, a dash for NaN."""
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def to_markdown(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as a table, in percent and points."""
    yield "| condition | faces | found | ready crop | in the frame, place known | pipeline | loss |"
    yield "|---" * 7 + "|"
    for row in rows:
        cells = (row.found, row.ready, row.known, row.pipeline, row.loss)
        yield f"| {row.condition} | {row.faces} | {' | '.join(map(points, cells))} |"


def to_json(rows: Sequence[Row]) -> str:
    """One JSON list; NaN becomes null."""
    values = [{**asdict(row), "loss": row.loss} for row in rows]
    return json.dumps([{k: None if v != v else v for k, v in value.items()} for value in values])
