"""Shapes of ``emotion-lite``: its stages, its heads, and what they cost. Needs no framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

IMAGE_SIZE = 48
MEAN, STD = 0.5078, 0.2550
"""Mean and standard deviation of luma / 255 over FER2013's training images."""
HEADS: dict[str, int] = {"emotion": 8, "emotion_fer2013": 7, "clarity": 2}
"""Classes by head: FER+, FER2013, and whether the taggers could read the face at all."""


@dataclass(frozen=True)
class Stage:
    """One width of the network."""

    width: int
    stride: int
    pairs: int = 0
    """Residual pairs of 3x3 convolutions behind the first one."""
    kernel: int = 3


LITE: tuple[Stage, ...] = (
    Stage(16, 1),
    Stage(32, 2, kernel=2),
    Stage(64, 2, pairs=1, kernel=2),
    Stage(128, 2, pairs=1, kernel=2),
    Stage(192, 2, pairs=1, kernel=2),
)
"""The bundled network."""

TEACHER: tuple[Stage, ...] = (
    Stage(32, 1),
    Stage(48, 2, pairs=1, kernel=2),
    Stage(96, 2, pairs=1, kernel=2),
    Stage(192, 2, pairs=1, kernel=2),
    Stage(256, 2, pairs=1, kernel=2),
)
"""Three times the work: trained first, it teaches the bundled one."""


def split_heads(logits: Any) -> dict[str, Any]:
    """Cut (N, 17) logits, or probabilities, into the heads by name."""
    parts, start = {}, 0
    for name, classes in HEADS.items():
        parts[name] = logits[:, start : start + classes]
        start += classes
    return parts


def count_macs(stages: Sequence[Stage] = LITE, image_size: int = IMAGE_SIZE) -> int:
    """Multiply-accumulates per image, of the convolutions and the heads."""
    macs, channels, size = 0, 1, image_size
    for stage in stages:
        size //= stage.stride
        macs += size * size * channels * stage.width * stage.kernel**2
        macs += 2 * stage.pairs * size * size * stage.width**2 * 9
        channels = stage.width
    return macs + channels * sum(HEADS.values())
