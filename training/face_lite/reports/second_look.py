"""What a second look does with doubtful faces (docs/decisions/0052).

``python -m training.face_lite.reports.second_look --data PHOTOGRAPHS``, a folder with ``boxes.json`` files
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferserve.detection.base import FaceDetector, default_side_px
from ferserve.detection.factory import open_face_lite
from ferserve.detection.second_look import CONFIRMING_SCORE, second_scores
from ferserve.labels import MIN_FACE_SCORE
from ferserve.models.store import BUNDLED_DIR
from ferserve.vision.geometry import iou_matrix
from training.data.photographs import read_luma
from training.errors import DataError, in_one_line
from training.face_lite.photographs import drawn_boxes

Image = NDArray[np.uint8]
Scores = Callable[[Image, NDArray[np.float32]], NDArray[np.float32]]
"""A photograph and N boxes to the scores (N,) of a second look."""
MIN_SCORE = 0.5
SAME_IOU = 0.35
LEAST = 0.02


@dataclass(frozen=True)
class Doubt:
    """A photograph with doubtful boxes (N, 4), and which of them lie on a face that somebody drew, bool (N,)."""

    luma: Image
    xyxy: NDArray[np.float32]
    is_face: NDArray[np.bool_]


def doubts(detector: FaceDetector, folder: Path) -> Iterator[Doubt]:
    """Every photograph with doubtful boxes at the default side."""
    for name, drawn in drawn_boxes(folder).items():
        luma = read_luma(folder / name)
        found = detector.detect(luma, side_px=0, min_score=MIN_SCORE)
        found = found.select(found.score < MIN_FACE_SCORE)
        if len(found):
            yield Doubt(luma, found.xyxy, iou_matrix(found.xyxy, drawn).max(axis=1, initial=0) >= SAME_IOU)


def whole_look(detector: FaceDetector, ratio: float, luma: Image, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores of the boxes (N, 4) in a look at the whole photograph, ``ratio`` times as large as the first one."""
    again = detector.detect(luma, side_px=round(default_side_px(*luma.shape) * ratio), min_score=LEAST)
    same = iou_matrix(xyxy, again.xyxy) >= SAME_IOU
    scores: NDArray[np.float32] = np.where(same, again.score, np.float32(0)).max(axis=1, initial=0)
    return scores


def table_row(name: str, scores: Scores, doubtful: Iterable[Doubt]) -> str:
    """Faces and other boxes that a second look keeps, and its processor time per photograph, as a line of Markdown."""
    kept, is_face, times = [], [], []
    for doubt in doubtful:
        started = time.thread_time()
        kept.append(scores(doubt.luma, doubt.xyxy) >= CONFIRMING_SCORE)
        times.append(time.thread_time() - started)
        is_face.append(doubt.is_face)
    keeps, faces = np.concatenate(kept), np.concatenate(is_face)
    counts = f"{(keeps & faces).sum()} of {faces.sum()} | {(keeps & ~faces).sum()} of {(~faces).sum()}"
    return f"| {name} | {counts} | {np.median(times) * 1e3:.2f} ms |"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="photographs with boxes.json")
    data = parser.parse_args().data
    detector = open_face_lite(BUNDLED_DIR / "face-lite.onnx")()
    doubtful = list(doubts(detector, data))
    if not doubtful:
        raise DataError(f"{data}: photographs must have boxes.json and doubtful faces, got none")
    columns = ("second look", "faces kept", "other boxes kept", "median processor time")
    print(f"{len(doubtful)} photographs\n\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    looks: dict[str, Scores] = {
        f"the whole at {ratio:g} x the side": partial(whole_look, detector, ratio) for ratio in (0.7, 1.25, 1.4, 2.0)
    }
    for tile_px in (64, 96, 128, 160, 192):
        looks[f"each box alone, {tile_px // 2} px large"] = partial(
            second_scores, detector, least=LEAST, tile_px=tile_px
        )
    for name, look in looks.items():
        print(table_row(name, look, doubtful), flush=True)


if __name__ == "__main__":
    sys.exit(in_one_line(main))
