"""Clips that pipelines are fed with, and what decoding them alone costs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ferserve.types import Crops
from ferserve.vision.decode import decode
from tests import builders
from tests.same_answers import pictures

if TYPE_CHECKING:
    from ferserve.types import Payload

FRAME_NS = 33_333_333
MAX_PIXELS = 1 << 24


def scenes() -> list[np.ndarray]:
    """Eight frames of 640x480, there and back, so that they loop without a jump."""
    steps = [builders.scene(i / 30) for i in range(8)]
    return [*steps, *steps[-2:0:-1]]


def group_picture() -> list[np.ndarray]:
    """Four faces that move a little."""
    whole = pictures.tiled(2, 2, 680, 520)
    steps = [np.ascontiguousarray(whole[i : i + 480, 2 * i : 2 * i + 640]) for i in range(8)]
    return [*steps, *steps[-2:0:-1]]


def large_scenes() -> list[np.ndarray]:
    """One face in 1280x720."""
    steps = [builders.scene(i / 30, 1280, 720, 1.2) for i in range(8)]
    return [*steps, *steps[-2:0:-1]]


def decoding(payloads: list[Payload]) -> Callable[[], object]:
    """Decode alone, of the same payloads in turn."""
    images = itertools.cycle([image for p in payloads for image in (p.images if isinstance(p, Crops) else (p,))])
    return lambda: decode(next(images), color=False, max_pixels=MAX_PIXELS)
