"""The figures of face-lite's model card: ``python -m training.face_lite.reports.report --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from ferserve.detection.factory import open_face_lite
from ferserve.detection.yunet import YuNetDetector
from ferserve.types import Detections
from training.data.photographs import photograph_paths
from training.errors import in_one_line
from training.face_lite.evaluate import Image, Report, evaluate_detector
from training.face_lite.photographs import Photograph, load_photographs
from training.face_lite.reports.references import picture_sets

LEAST = 0.02
"""Detections down to this score are kept, so that average precision sees them."""
Detect = Callable[[Image], Detections]


def table(reports: Sequence[tuple[str, Report]], min_score: float = 0.5) -> str:
    """Recall, precision, average precision and landmark error (24 px up), one line a detector, as Markdown.

    A figure without data, such as the recall of faces of a size that no photograph has, is left out.
    """
    columns = ("recall >= 24 px", "recall 12-24 px", "precision >= 24 px", ">= 12 px", "AP >= 12 px", "landmark error")
    lines = [f"| detector | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, report in reports:
        parts = (
            report.recall(24, np.inf, min_score),
            report.recall(12, 24, min_score),
            report.precision(24, min_score),
            report.precision(12, min_score),
        )
        error = report.landmark_error(24, min_score)
        cells = [f"{part:.3f} of {count}" if count else "" for part, count in parts]
        cells += [f"{report.average_precision(12):.3f}" if report.recall(12)[1] else ""]
        cells += [f"{error:.1%}" if np.isfinite(error) else ""]
        lines.append(f"| {name} | {' | '.join(cells)} |")
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
    parser.add_argument("--throws", type=int, default=1, help="how often each photograph is placed at random")
    chosen = parser.parse_args()
    known = detectors(chosen.model, chosen.yunet)
    kept: list[Photograph] = []
    if chosen.data and chosen.labels:
        kept = [p for p in load_photographs(chosen.data, chosen.labels) if p.is_validation]
    if not kept and not (chosen.colour and photograph_paths(chosen.colour)):
        parser.error("photographs must be given by --data with --labels, or by --colour, got none")
    sets = list(picture_sets(kept, chosen.colour, chosen.yunet, chosen.throws))
    for side in chosen.sides:
        for name, pictures_at in sets:
            pictures = list(pictures_at(side))
            print(f"\n{name}, side {side}, {len(pictures)} photographs\n")
            print(
                table([(who, evaluate_detector(detect, pictures)) for who, detect in known], chosen.min_score),
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(in_one_line(main))
