"""Streams of frames in any mixture, good and bad, under any options: each frame has its one answer, and none is
"internal error"."""

from __future__ import annotations

import math
import random
from typing import Any

import cv2
import numpy as np
import pytest

from ferserve.tracking.smoothing import HYSTERESIS_MARGIN
from ferserve.v1 import emotion_pb2 as pb
from tests import builders
from tests.serving.bad_frames import BAD_FRAMES
from tests.serving.streams import RawStream, stub_of

STREAMS, FRAMES = 12, 12
SECOND_NS = 1_000_000_000
PICTURES = [
    builders.jpeg(cv2.resize(builders.astronaut(), size, interpolation=cv2.INTER_AREA))
    for size in ((512, 512), (160, 120), (40, 300), (1, 1))
] + [builders.jpeg(np.zeros((480, 640, 3), np.uint8))]


def _box(rng: random.Random) -> pb.Box:
    x, y = rng.uniform(-50, 500), rng.uniform(-50, 500)
    return pb.Box(x0=x, y0=y, x1=x + rng.choice([0.01, 30, 200, 2000]), y1=y + rng.choice([0.01, 30, 200, 1e7]))


def _frame(rng: random.Random, number: int) -> dict[str, Any]:
    """Mostly good frames: a bad one affects no other, a good one is remembered."""
    if rng.random() < 0.2:
        frame = dict(rng.choice(list(BAD_FRAMES.values()))[0])
    elif rng.random() < 0.2:
        frame = {"crops": pb.Crops(images=[pb.Image(encoded=rng.choice(PICTURES)) for _ in range(rng.randrange(4))])}
    else:
        frame = {"encoded": rng.choice(PICTURES)}
        if rng.random() < 0.4:
            frame["boxes"] = pb.Boxes(boxes=[_box(rng) for _ in range(rng.choice([0, 1, 1, 3, 70]))])
    live = SECOND_NS + number * SECOND_NS // 30
    times = [live, live, live, 0, -1, 2**63 - 1, rng.randrange(2**62)]
    return {**frame, "neutral": rng.random() < 0.2, "capture_time_ns": rng.choice(times)}


def _config(rng: random.Random) -> dict[str, Any]:
    return {
        "options": pb.ClassifyOptions(
            model=rng.choice(["", "other", "emotion-lite", "emotion-lite-int8"]),
            max_faces=rng.choice([0, 1, 2**31]),
            min_score=rng.choice([0.0, 0.5, 1.0]),
            detection_side_px=rng.choice([0, 1, 33, 320]),
        ),
        "delivery": rng.choice([pb.DELIVERY_LATEST, pb.DELIVERY_EVERY]),
        "priority": rng.choice([pb.PRIORITY_LOW, pb.PRIORITY_HIGH]),
        "stream_id": rng.choice(["", "a", "b"]),
        "smoothing_ms": rng.choice([0.0, 1e-6, 400.0, 60_000.0]),
        "neutral_first_ms": rng.choice([0.0, 1e-6, 500.0]),
        "detection_interval": rng.choice([0, 1, 1000]),
        "frame_deadline_ms": rng.choice([0, 0, 1]),
    }


@pytest.mark.parametrize("seed", range(5))
async def test_every_frame_has_one_fitting_answer(address: str, seed: int) -> None:
    rng = random.Random(seed)
    async with stub_of(address) as stub:
        for _ in range(STREAMS):
            stream = RawStream(stub)
            await stream.open(**_config(rng))
            results = await stream.exchange({i: _frame(rng, i) for i in range(1, FRAMES + 1)})
            await stream.finish()
            assert [result.frame_id for result in results] == list(range(1, FRAMES + 1))
            for result in results:
                _require_sense(result)


def _require_sense(result: pb.FrameResult) -> None:
    outcome = result.WhichOneof("outcome")
    if outcome == "fault":
        assert result.fault.code == "invalid_frame"
        assert " must " in result.fault.message
    for face in result.faces.faces:
        assert all(map(math.isfinite, (face.box.x0, face.box.y0, face.box.x1, face.box.y1)))
        for head in face.heads:
            assert sum(head.probabilities) == pytest.approx(1, abs=1e-3)
            assert head.confidence == pytest.approx(max(head.probabilities), abs=HYSTERESIS_MARGIN + 0.01), (
                "but for hysteresis"
            )
