"""Results as a stream gives them, made by code."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferserve.types import Face, FrameResult, HeadPose, HeadResult

EMOTIONS = ("calm", "happy")
HEADS = {"emotion": EMOTIONS, "clarity": ("clear", "unclear"), "affect": ("valence", "arousal")}


def face(track: int = 1, happy: float = 0.25, **changes: Any) -> Face:
    """A face whose emotion is happy by ``happy``, with a clear view and a valence of half that."""
    emotion = np.array([1 - happy, happy], np.float32)
    heads = (
        HeadResult("emotion", EMOTIONS, emotion, int(happy > 0.5), raw_probabilities=emotion[::-1]),
        HeadResult("clarity", HEADS["clarity"], np.array([0.9, 0.1], np.float32), 0),
        HeadResult("affect", HEADS["affect"], np.array([happy / 2, -0.5], np.float32), 0),
    )
    box = (10.0 * track, 20.0, 10.0 * track + 8, 30.0)
    landmarks = np.arange(10, dtype=np.float32).reshape(5, 2)
    told = {"box": box, "score": 0.875, "heads": heads, "landmarks": landmarks, "track_id": track}
    return Face(**told | {"head_pose": HeadPose(-12.5, 3.25, 0.5), "landmarks_age_ms": 40.0} | changes)


def result(number: int, *faces: Face, **changes: Any) -> FrameResult:
    """Frame ``number`` of a video of 25 frames per second."""
    time_ns = (number - 1) * 40_000_000
    return FrameResult(
        number,
        time_ns,
        faces,
        **{"model_name": "tiny", "model_version": "3", "width": 64, "height": 48, **changes},
    )
