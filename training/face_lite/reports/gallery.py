"""Shows the limits of face-lite: two photographs made worse step by step until the face is no longer found.

``python -m training.face_lite.reports.gallery --model face-lite.onnx --out face-lite.jpg``; needs scikit-image for the
only photographs that may be shown to everybody: Eileen Collins (public domain), and a photographer in profile (CC0, Lav
Varshney).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.detection.base import FaceDetector
from ferserve.detection.factory import open_face_lite
from training.errors import in_one_line
from training.face_lite.disturb import wear_glasses, wear_mask

Image = NDArray[np.uint8]
TILE = 180
MIN_SCORE = 0.5
SIDE = 320
FOUND, GUESSED = (0, 220, 0), (0, 140, 255)
"""Colours of the boxes, BGR."""
GROUND = 110
"""Grey of the canvas behind a picture."""


@dataclass(frozen=True)
class Portrait:
    """A photograph, luma uint8 (H, W), and the landmarks of its face, float32 (5, 2) px."""

    luma: Image
    landmarks: NDArray[np.float32]


Degrade = Callable[[Portrait, float], Image]


def smaller(portrait: Portrait, part: float) -> Image:
    """Further away: the picture shrunk to a part of its size, on grey ground."""
    small = cv2.resize(portrait.luma, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
    out = np.full_like(portrait.luma, GROUND)
    out[: small.shape[0], : small.shape[1]] = small
    return out


def darker(portrait: Portrait, gain: float) -> Image:
    """Less light, and the noise of a sensor that does what it can."""
    noise = np.random.default_rng(0).normal(0, 3, portrait.luma.shape)
    return np.asarray((portrait.luma * gain + noise).clip(0, 255), np.uint8)


def turned(portrait: Portrait, degrees: float) -> Image:
    """Tilted in the plane of the picture."""
    luma, centre = portrait.luma, portrait.landmarks[2]
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), degrees, 1.0)
    return np.asarray(cv2.warpAffine(luma, matrix, luma.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


def masked(portrait: Portrait, part: float) -> Image:
    """A mask from the nose down, and further away."""
    return _hidden(portrait, part, glasses=False)


def masked_with_glasses(portrait: Portrait, part: float) -> Image:
    """A mask and dark glasses, and further away."""
    return _hidden(portrait, part, glasses=True)


def _hidden(portrait: Portrait, part: float, glasses: bool) -> Image:
    worn, points = portrait.luma.copy(), portrait.landmarks
    rng = np.random.default_rng(1)
    box = np.concatenate([points.min(axis=0), points.max(axis=0)])
    wear_mask(rng, worn, points, box)
    if glasses:
        wear_glasses(rng, worn, points, box)
    return smaller(Portrait(worn, points), part)


def blurred(portrait: Portrait, sigma: float) -> Image:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(portrait.luma, (0, 0), sigma), np.uint8)


@dataclass(frozen=True)
class Row:
    """One kind of damage in rising amounts; ``shrinks`` if the amount is the part of the size that is left."""

    text: str
    degrade: Degrade
    amounts: tuple[float, ...]
    shrinks: bool = False
    profile: bool = False
    """Shown on the photograph of the profile."""


ROWS = (
    Row("far, size x {:g}", smaller, (0.5, 0.25, 0.15, 0.1), shrinks=True),
    Row("profile, size x {:g}", smaller, (0.7, 0.5, 0.35, 0.25), shrinks=True, profile=True),
    Row("dark, light x {:g}", darker, (0.3, 0.15, 0.08, 0.04)),
    Row("tilted {:g} degrees", turned, (20, 45, 70, 110)),
    Row("mask, size x {:g}", masked, (1, 0.35, 0.2, 0.12), shrinks=True),
    Row("and glasses, size x {:g}", masked_with_glasses, (1, 0.35, 0.2, 0.12), shrinks=True),
    Row("blurred, sigma {:g} px", blurred, (2, 4, 6, 8)),
)


def shown(detector: FaceDetector, luma: Image, text: str, part: float = 1.0) -> Image:
    """The picture with the detector's boxes, green if sure, and the damage that was done.

    Only the first ``part`` of its rows and columns is shown, enlarged to the tile.
    """
    found = detector.detect(luma, side_px=SIDE, min_score=0.2)
    height, width = (round(edge * part) for edge in luma.shape)
    scale = TILE / height
    tile = cv2.resize(
        luma[:height, :width], (TILE, TILE), interpolation=cv2.INTER_AREA if part == 1 else cv2.INTER_CUBIC
    )
    picture = cv2.cvtColor(tile, cv2.COLOR_GRAY2BGR)
    for box, score in zip(found.xyxy * scale, found.score, strict=True):
        colour = FOUND if score >= MIN_SCORE else GUESSED
        x0, y0, x1, y1 = (round(float(value)) for value in box)
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, 1)
        cv2.putText(picture, f"{score:.2f}", (x0, max(10, y0 - 3)), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1)
    cv2.rectangle(picture, (0, TILE - 16), (TILE, TILE), (0, 0, 0), -1)
    cv2.putText(picture, text, (3, TILE - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    return np.asarray(picture, np.uint8)


def gallery(detector: FaceDetector, frontal: Image, profile: Image) -> Iterator[Image]:
    """Rows of pictures, uint8 (TILE, 4 * TILE, 3) BGR, each worse than the one before; photographs luma uint8 (H, W).

    Raises :class:`ValueError` if ``detector`` finds no face in an undamaged photograph.
    """
    portraits = {False: found_in(detector, frontal), True: found_in(detector, profile)}
    for row in ROWS:
        yield np.hstack(
            [
                shown(
                    detector,
                    row.degrade(portraits[row.profile], amount),
                    row.text.format(amount),
                    amount if row.shrinks else 1.0,
                )
                for amount in row.amounts
            ]
        )


def found_in(detector: FaceDetector, luma: Image) -> Portrait:
    """The photograph with the landmarks of its best face; raises :class:`ValueError` if there is no face."""
    found = detector.detect(luma, side_px=SIDE, min_score=MIN_SCORE)
    if not len(found) or found.landmarks is None:
        raise ValueError("picture must hold a face that is found, got none; take another")
    return Portrait(luma, found.landmarks[0])


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    from skimage import data

    rgb: Image = data.astronaut()  # type: ignore[no-untyped-call]
    frontal = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    profile: Image = data.camera()  # type: ignore[no-untyped-call]
    picture = np.vstack(list(gallery(open_face_lite(chosen.model)(), frontal, profile)))
    cv2.imwrite(str(chosen.out), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    sys.exit(in_one_line(main))
