"""Where face-lite fails, in pictures: one face made worse step by step until it is no longer found.

``python -m training.detection.gallery --model face-lite.onnx --out face-lite.jpg``; needs scikit-image for its picture
of Eileen Collins (public domain), the only photograph that may be shown to everybody.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.detect import FaceDetector
from ferserve.detectors import open_face_lite
from training.detection.disturb import wear_glasses, wear_mask

Image = NDArray[np.uint8]
TILE = 150
MIN_SCORE = 0.5
Degrade = Callable[[Image, NDArray[np.float32], float], Image]


def smaller(luma: Image, landmarks: NDArray[np.float32], part: float) -> Image:
    """Further away: the picture shrunk to a part of its size, on grey ground."""
    small = cv2.resize(luma, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
    out = np.full_like(luma, 110)
    out[: small.shape[0], : small.shape[1]] = small
    return out


def darker(luma: Image, landmarks: NDArray[np.float32], gain: float) -> Image:
    """Less light, and the noise of a sensor that does what it can."""
    noise = np.random.default_rng(0).normal(0, 3, luma.shape)
    return np.asarray((luma * gain + noise).clip(0, 255), np.uint8)


def turned(luma: Image, landmarks: NDArray[np.float32], degrees: float) -> Image:
    """Tilted in the plane of the picture."""
    centre = landmarks[2]
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), degrees, 1.0)
    return np.asarray(cv2.warpAffine(luma, matrix, luma.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


def narrower(luma: Image, landmarks: NDArray[np.float32], part: float) -> Image:
    """Squeezed in width, which is some of what turning the head to a profile does."""
    small = cv2.resize(luma, None, fx=part, fy=1, interpolation=cv2.INTER_AREA)
    out = np.full_like(luma, 110)
    out[:, : small.shape[1]] = small
    return out


def masked(luma: Image, landmarks: NDArray[np.float32], shade: float) -> Image:
    """A mask of one shade from the nose down, and dark glasses from shade 100 on."""
    out = luma.copy()
    rng = np.random.default_rng(1)
    box = np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])
    wear_mask(rng, out, landmarks, box)
    if shade >= 100:
        wear_glasses(rng, out, landmarks, box)
    return out


def blurred(luma: Image, landmarks: NDArray[np.float32], sigma: float) -> Image:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(luma, (0, 0), sigma), np.uint8)


ROWS: list[tuple[str, Degrade, tuple[float, ...]]] = [
    ("far: part of the size", smaller, (0.5, 0.25, 0.15, 0.1)),
    ("dark: part of the light", darker, (0.3, 0.15, 0.08, 0.04)),
    ("tilted: degrees", turned, (20, 45, 70, 110)),
    ("squeezed: part of the width", narrower, (0.7, 0.5, 0.35, 0.25)),
    ("masked; 100: and dark glasses", masked, (0, 100)),
    ("blurred: sigma in px", blurred, (4, 8, 12, 16)),
]


def shown(detector: FaceDetector, luma: Image, text: str) -> Image:
    """The picture with what the detector found in it, green where it is sure, and what was done to it."""
    found = detector.detect(luma, side_px=320, min_score=0.2)
    scale = TILE / luma.shape[0]
    picture = cv2.cvtColor(cv2.resize(luma, (TILE, TILE), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)
    for box, score in zip(found.xyxy * scale, found.score, strict=True):
        colour = (0, 220, 0) if score >= MIN_SCORE else (0, 140, 255)
        x0, y0, x1, y1 = (round(float(value)) for value in box)
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, 1)
        cv2.putText(picture, f"{score:.2f}", (x0, max(10, y0 - 3)), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1)
    cv2.rectangle(picture, (0, TILE - 16), (TILE, TILE), (0, 0, 0), -1)
    cv2.putText(picture, text, (3, TILE - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (255, 255, 255), 1)
    return np.asarray(picture, np.uint8)


def gallery(detector: FaceDetector, luma: Image) -> Iterator[Image]:
    """Rows of pictures, each worse than the one before."""
    whole = detector.detect(luma, side_px=320, min_score=MIN_SCORE)
    if not len(whole) or whole.landmarks is None:
        raise ValueError("picture must hold a face that is found, got none")
    for name, degrade, amounts in ROWS:
        tiles = [shown(detector, luma, name.split(":")[0].split(";")[0])]
        tiles += [
            shown(detector, degrade(luma, whole.landmarks[0], amount), f"{name} {amount:g}") for amount in amounts
        ]
        tiles += [np.zeros((TILE, TILE, 3), np.uint8)] * (5 - len(tiles))
        yield np.hstack(tiles)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    from skimage import data

    rgb: Image = data.astronaut()  # type: ignore[no-untyped-call]
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    cv2.imwrite(str(chosen.out), np.vstack(list(gallery(open_face_lite(chosen.model)(), luma))))


if __name__ == "__main__":
    main()
