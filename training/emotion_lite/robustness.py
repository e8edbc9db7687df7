"""Robustness of a model file to detectors, cameras and codecs, on PublicTest."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.evaluation.labelled import Labelled
from training.evaluation.served_model import ServedModel

Images = NDArray[np.uint8]
FRAME = 4
"""A 48 px crop stands for a face this many times as large in a frame, its surroundings the repeated edge."""


def accuracy(model: ServedModel, label_set: str, rows: NDArray[Any], truth: NDArray[np.int64]) -> float:
    """Share of ``rows`` whose top label is ``truth``."""
    return float((model.in_order(rows, label_set).argmax(axis=1) == truth).mean())


def jittered_rows(model: ServedModel, images: Images, jitter: float, rng: np.random.Generator) -> NDArray[Any]:
    """Input rows whose boxes are off: centre and side each by up to ``jitter`` of the side, evenly spread."""
    count, size = len(images), images.shape[1]
    margin = model.spec.input.margin
    side = size / (1 + 2 * margin) * np.exp(rng.uniform(-jitter, jitter, count))
    centre = size / 2 + rng.uniform(-jitter, jitter, (count, 2)) * size
    half = side[:, None] / 2
    return model.rows(images, np.concatenate([centre - half, centre + half], axis=1).astype(np.float32))


def sized(images: Images, side: int) -> Images:
    """The faces as if a camera had taken them ``side`` px large; larger ones are interpolated."""
    method = cv2.INTER_AREA if side < images.shape[1] else cv2.INTER_CUBIC
    return np.stack([np.asarray(cv2.resize(image, (side, side), interpolation=method), np.uint8) for image in images])


def blurred(images: Images, sigma: float) -> Images:
    """Gaussian blur by ``sigma`` pixels of the 48 px crop."""
    return np.stack([np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8) for image in images])


def compressed(images: Images, quality: int, scale: int = FRAME) -> Images:
    """JPEG of the face within a frame, ``scale`` times as large as the crop."""
    made = []
    for image in sized(images, images.shape[1] * scale):
        _, coded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
        made.append(np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8))
    return np.stack(made)


def lit(images: Images, gain: float, offset: float) -> Images:
    """Another exposure: ``pixel * gain + offset``, clipped."""
    return np.asarray(np.clip(images.astype(np.float32) * gain + offset, 0, 255), np.uint8)


CONDITIONS: dict[str, Callable[[Images], Images]] = {
    **{f"face {side} px": partial(sized, side=side) for side in (24, 32, 48, 96, 200)},
    **{f"blur sigma {sigma} px": partial(blurred, sigma=sigma) for sigma in (0.8, 1.5)},
    **{f"JPEG quality {quality}, face 192 px": partial(compressed, quality=quality) for quality in (50, 20)},
    **{f"JPEG quality {quality}, face 48 px": partial(compressed, quality=quality, scale=1) for quality in (50, 20)},
    "dark (x 0.5)": partial(lit, gain=0.5, offset=0),
    "bright (x 1.3 + 30)": partial(lit, gain=1.3, offset=30),
}
"""Changes of the images, by name."""


def robustness(model: ServedModel, label_set: str, data: Labelled, seeds: int = 3) -> dict[str, float]:
    """Accuracy by condition; jitter is the mean over ``seeds`` draws."""
    found = {"as it is": accuracy(model, label_set, model.rows(data.images), data.truth)}
    for jitter in (0.05, 0.1, 0.15):
        rngs = (np.random.default_rng(seed) for seed in range(seeds))
        drawn = (jittered_rows(model, data.images, jitter, rng) for rng in rngs)
        draws = [accuracy(model, label_set, rows, data.truth) for rows in drawn]
        found[f"boxes off by up to {jitter:.0%}"] = float(np.mean(draws))
    for name, change in CONDITIONS.items():
        found[name] = accuracy(model, label_set, model.rows(change(data.images)), data.truth)
    return found
