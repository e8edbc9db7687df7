"""The figures of face-lite's model card: ``python -m training.detection.report --help``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.detect import YuNetDetector
from ferserve.detectors import open_face_lite
from ferserve.types import Detections
from training.detection.evaluate import SURE, Image, Report, at_side, evaluate, ignore_unsure, shrink
from training.detection.faces import Faces
from training.detection.photographs import Photograph, load_photographs, photograph_paths
from training.detection.teacher import Teacher

LEAST = 0.02
"""Detections down to this score are kept, so that average precision sees them."""
Detect = Callable[[Image], Detections]


def table(reports: Sequence[tuple[str, Report]], min_score: float = 0.5) -> str:
    """Recall, precision, average precision and landmark error, one line a detector, as Markdown."""
    lines = ["| detector | recall >= 24 px | recall 12-24 px | precision | AP >= 12 px | landmark error |"]
    lines.append("|---|---|---|---|---|---|")
    for name, report in reports:
        large, n_large = report.recall(24, np.inf, min_score)
        small, n_small = report.recall(12, 24, min_score)
        precision, n_found = report.precision(12, min_score)
        lines.append(
            f"| {name} | {large:.3f} of {n_large} | {small:.3f} of {n_small} | {precision:.3f} of {n_found} | "
            f"{report.average_precision(12):.3f} | {report.landmark_error(24, min_score):.1%} |"
        )
    return "\n".join(lines)


def detectors(model: Path, yunet: Path) -> list[tuple[str, Detect]]:
    """face-lite, and YuNet on the same luma plane, at the resolution of the image they are given."""
    ours, theirs = open_face_lite(model)(), YuNetDetector(str(yunet))
    return [
        ("face-lite", lambda luma: ours.detect(luma, side_px=max(luma.shape), min_score=LEAST)),
        (
            "YuNet on luma",
            lambda luma: theirs.detect(
                np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR), np.uint8), side_px=max(luma.shape), min_score=LEAST
            ),
        ),
    ]


def marked(teacher: Teacher, image: Image, known: Faces) -> Faces:
    """The faces that one look of YuNet is sure of in ``image``; what it doubts, and what else is known, is ignored."""
    rows = teacher.one_pass(image if image.ndim == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8))
    faces = ignore_unsure(
        Faces.from_rows(np.concatenate([rows, np.zeros((len(rows), 1), np.float32)], axis=1)), SURE, 8
    )
    others = Faces(known.xyxy, known.landmarks, known.score, np.ones(len(known), bool))
    return Faces.from_rows(np.concatenate([faces.to_rows(), others.to_rows()]))


def kept_pictures(kept: Iterable[Photograph], yunet: Path, side_px: int) -> Iterator[tuple[Image, Faces]]:
    """Photographs at ``side_px``, with the faces that YuNet finds in them at that size."""
    teacher = Teacher(yunet)
    for photograph in kept:
        image, faces = shrink(photograph.luma, photograph.faces, side_px)
        yield image, marked(teacher, image, faces)


def colour_pictures(folder: Path, yunet: Path, side_px: int) -> Iterator[tuple[Image, Faces]]:
    """Photographs as luma at ``side_px``, with the faces that YuNet finds in their full colour at that size."""
    teacher = Teacher(yunet)
    for path in photograph_paths(folder):
        bgr: NDArray[np.uint8] = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
        small, _ = shrink(bgr, Faces.empty(), side_px)
        yield np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8), marked(teacher, small, Faces.empty())


def main() -> None:
    """Print one table for each set of pictures and each resolution."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="face-lite's ONNX file")
    parser.add_argument("--yunet", type=Path, required=True, help="YuNet's ONNX file")
    parser.add_argument("--data", type=Path, help="training photographs; those kept out of training are measured")
    parser.add_argument("--labels", type=Path, help="labels.npz of the training photographs")
    parser.add_argument("--colour", type=Path, help="photographs in colour, marked by YuNet")
    parser.add_argument("--sides", type=int, nargs="+", default=[320, 160, 80], help="longest sides in pixels")
    parser.add_argument("--min-score", type=float, default=0.5)
    chosen = parser.parse_args()
    known = detectors(chosen.model, chosen.yunet)
    sets: list[tuple[str, Callable[[int], Iterable[tuple[Image, Faces]]]]] = []
    if chosen.data and chosen.labels:
        kept = [p for p in load_photographs(chosen.data, chosen.labels) if p.is_validation]
        for part in sorted({p.name.split("/")[0] for p in kept}):
            own = [p for p in kept if p.name.startswith(part)]
            sets.append((f"{part}, kept out, fused labels", partial(at_side, own)))
            sets.append((f"{part}, kept out, marked by YuNet", partial(kept_pictures, own, chosen.yunet)))
    if chosen.colour:
        name = f"{chosen.colour.name}, marked by YuNet in colour"
        sets.append((name, partial(colour_pictures, chosen.colour, chosen.yunet)))
    for side in chosen.sides:
        for name, pictures_at in sets:
            pictures = list(pictures_at(side))
            print(f"\n{name}, side {side}, {len(pictures)} photographs\n")
            print(table([(who, evaluate(detect, pictures)) for who, detect in known], chosen.min_score), flush=True)


if __name__ == "__main__":
    main()
