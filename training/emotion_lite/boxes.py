"""What a detector's box means on FER2013's crops:

``python -m training.emotion_lite.boxes --data FILE.npz [--yunet FILE]``.

The spec of emotion-lite says how a box becomes a crop (``margin``, ``square``). It rests on this table: a detector is
run on test images, which have been given surroundings by repeating their edges, and its boxes are compared with them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.detection.base import FaceDetector
from ferserve.detection.factory import open_detector
from ferserve.detection.yunet import YuNetDetector
from training.errors import DataError, in_one_line
from training.evaluation.labelled import load_labelled

ENLARGED = 4
SURROUNDINGS = 0.5
"""Of the image's side, on each of its sides."""
MIN_SCORE = 0.5
PERCENTILES = (5, 25, 50, 75, 95)
QUANTITIES = (
    "margin that turns the box's longer side into the crop",
    "box centre right of the crop's, part of its side",
    "box centre below the crop's, part of its side",
    "roll of the eyes, degrees",
)


def surrounded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A luma image (S, S), enlarged, within its repeated edges."""
    pad = round(SURROUNDINGS * len(image))
    wide = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(wide, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC), np.uint8)


def compare(detector: FaceDetector, image: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """:data:`QUANTITIES` of the best box on one luma image (S, S); None if no face is found."""
    picture = surrounded(image)
    pixels = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8) if detector.wants_color else picture
    found = detector.detect(pixels, side_px=len(picture), min_score=MIN_SCORE)
    if not len(found) or found.landmarks is None:
        return None
    x0, y0, x1, y1 = found.xyxy[0].tolist()
    crop, middle = len(image) * ENLARGED, len(picture) / 2
    one, other = sorted(found.landmarks[0, :2].tolist())
    right, down = other[0] - one[0], other[1] - one[1]
    margin = (crop / max(x1 - x0, y1 - y0) - 1) / 2
    return np.array([
        margin, ((x0 + x1) / 2 - middle) / crop, ((y0 + y1) / 2 - middle) / crop, np.degrees(np.arctan2(down, right))
    ])  # fmt: skip


def main() -> None:
    """Print one line for each quantity."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz", help="FER2013, as training takes it")
    parser.add_argument("--yunet", type=Path, help="YuNet's ONNX file; the bundled face-lite looks otherwise")
    parser.add_argument("--limit", type=int, default=1200, help="test images to look at")
    chosen = parser.parse_args()
    detector = YuNetDetector(str(chosen.yunet)) if chosen.yunet else open_detector("face-lite")()
    assert detector
    images = load_labelled(chosen.data, "fer2013").images[: chosen.limit]
    rows = [row for row in (compare(detector, image) for image in images) if row is not None]
    if not rows:
        raise DataError(f"{chosen.data}: images must show faces that the detector finds, got none in {len(images)}")
    table = np.percentile(rows, PERCENTILES, axis=0).round(2) + 0.0  # no minus before a zero
    print(f"found on {len(rows) / len(images):.0%} of {len(images)} images\n")
    print(f"| quantity | {' | '.join(f'{p} %' for p in PERCENTILES)} |\n|---{'|---' * len(PERCENTILES)}|")
    for name, column in zip(QUANTITIES, table.T, strict=True):
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in column)} |")


if __name__ == "__main__":
    sys.exit(in_one_line(main))
