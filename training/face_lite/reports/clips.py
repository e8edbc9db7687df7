"""How steady a detector is over time: faces that it loses, and boxes that tremble.

``python -m training.face_lite.reports.clips --model face-lite.onnx --yunet yunet.onnx CLIP...``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.detection.base import FaceDetector
from ferserve.detection.factory import open_face_lite
from ferserve.detection.yunet import YuNetDetector
from ferserve.vision.geometry import iou_matrix
from training.errors import DataError, in_one_line

Image = NDArray[np.uint8]
SIDE = 320
MIN_SCORE = 0.5
REFERENCE_MIN_SCORE = 0.8


def frames(clip: Path) -> Iterator[Image]:
    """Frames of a clip, BGR uint8 (H, W, 3). Raises :class:`DataError` if there is no frame."""
    video = cv2.VideoCapture(str(clip))
    more, bgr = video.read()
    if not more:
        raise DataError(f"{clip}: clip must be a video that OpenCV can read, got no frame")
    while more:
        yield np.asarray(bgr, np.uint8)
        more, bgr = video.read()


def longest_loss(ours: FaceDetector, theirs: FaceDetector, pictures: Iterable[Image]) -> tuple[int, int, int]:
    """Longest run of frames in which a face that ``theirs`` is sure of is missed, faces missed, and faces seen.

    Runs are counted per frame: a frame belongs to a run if any face is missed in it.
    """
    run = longest = missed = seen = 0
    for bgr in pictures:
        wanted = theirs.detect(bgr, side_px=SIDE, min_score=REFERENCE_MIN_SCORE).xyxy
        luma = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        found = ours.detect(luma, side_px=SIDE, min_score=MIN_SCORE).xyxy
        hit = iou_matrix(wanted, found).max(axis=1, initial=0) >= 0.4
        seen, missed = seen + len(wanted), missed + int((~hit).sum())
        run = run + 1 if not hit.all() else 0
        longest = max(longest, run)
    return longest, missed, seen


def jitter(detector: FaceDetector, luma: Image, sigma: float, count: int = 100) -> float:
    """Standard deviation of the best box's centre over its size, on one picture under ``count`` draws of noise.

    The larger of x and y. ``sigma`` is the noise's standard deviation in grey values, at the detector's resolution.
    """
    scale = SIDE / max(luma.shape)
    small = cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(0)
    boxes = []
    for _ in range(count):
        noisy = (small + rng.normal(0, sigma, small.shape)).round().clip(0, 255).astype(np.uint8)
        image = np.asarray(cv2.cvtColor(noisy, cv2.COLOR_GRAY2BGR), np.uint8) if detector.wants_color else noisy
        found = detector.detect(image, side_px=SIDE, min_score=MIN_SCORE)
        if len(found):
            boxes.append(found.xyxy[0])
    if len(boxes) < count:
        return float("nan")
    all_boxes = np.array(boxes)
    centre = (all_boxes[:, :2] + all_boxes[:, 2:]) / 2
    side = np.sqrt(np.prod(all_boxes[:, 2:] - all_boxes[:, :2], axis=1)).mean()
    return float(centre.std(axis=0).max() / side)


def main() -> None:
    """Print one line a clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("clips", type=Path, nargs="+")
    chosen = parser.parse_args()
    ours, theirs = open_face_lite(chosen.model)(), YuNetDetector(str(chosen.yunet))
    for clip in chosen.clips:
        longest, missed, seen = longest_loss(ours, theirs, frames(clip))
        print(f"{clip.name}: longest loss {longest} frames, {missed} of YuNet's {seen} faces missed")
        luma = np.asarray(cv2.cvtColor(next(frames(clip)), cv2.COLOR_BGR2GRAY), np.uint8)
        for sigma in (2.0, 4.0, 8.0):
            shares = [jitter(detector, luma, sigma) for detector in (ours, theirs)]
            print(f"  first frame, noise {sigma:g}: jitter {shares[0]:.2%} (YuNet on luma {shares[1]:.2%})")


if __name__ == "__main__":
    sys.exit(in_one_line(main))
