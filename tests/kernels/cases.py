"""Random but valid calls, for the hypothesis tests and the fuzz run."""

from __future__ import annotations

import numpy as np

from ferserve.models.spec import InputSpec

METHODS = ("area", "bilinear", "antialias")
COLORS = ("luma", "bgr", "rgb")
ALIGN = ("none", "eyes", "landmarks")
DTYPES = ("float32", "float16", "uint8")


def random_spec(rng: np.random.Generator, most: int = 40) -> InputSpec:
    """Any layout, type, method and margin, up to ``most`` px per side."""
    color = COLORS[rng.integers(3)]
    channels = 1 if color == "luma" else 3
    square = bool(rng.integers(2))
    return InputSpec(
        height=int(rng.integers(1, most)),
        width=int(rng.integers(1, most)),
        color=color,
        layout=("NCHW", "NHWC")[rng.integers(2)],
        dtype=DTYPES[rng.integers(3)],
        scale=float(rng.choice([1.0, 1 / 255])),
        mean=(0.25,) * channels,
        std=(0.5,) * channels,
        resize=METHODS[rng.integers(3)],
        margin=float(rng.uniform(-0.45 if square else 0.0, 1.0)),
        square=square,
        align=ALIGN[rng.choice(3, p=[0.8, 0.1, 0.1])],
    )


def random_boxes(rng: np.random.Generator, height: int, width: int, count: int) -> np.ndarray:
    """Boxes float32 (count, 4) that overlap the image, some of them far larger, thinner or further out than it."""
    spread = rng.choice([0.0, 0.5, 3.0, 1e4], p=[0.5, 0.3, 0.15, 0.05])
    low = rng.uniform(-spread, 0.95, (count, 2)) * (width, height)
    high = np.maximum(low, 0) + rng.uniform(0.001, 0.2 + spread, (count, 2)) * (width, height) + 0.01
    boxes = np.concatenate([low, high], axis=1)
    if rng.random() < 0.3:
        boxes = np.concatenate([np.floor(low), np.ceil(high)], axis=1)
    return boxes.astype(np.float32)


def random_landmarks(rng: np.random.Generator, height: int, width: int, count: int) -> np.ndarray:
    """Landmarks float32 (count, 5, 2), some of them degenerate."""
    marks = rng.uniform(-0.2, 1.2, (count, 5, 2)) * (width, height)
    if rng.random() < 0.1:
        marks[0] = rng.choice([np.nan, np.inf, 0.0, 1e30])
    return marks.astype(np.float32)
