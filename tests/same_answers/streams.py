"""Streams: clips, tracks, boxes, calibration, faults on single frames, resuming, and every breach of the protocol."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from ferserve.v1 import emotion_pb2 as pb
from tests import builders
from tests.same_answers import pictures
from tests.same_answers.exchanges import FRAME_NS, Stream, clip, config, frame
from tests.same_answers.single_calls import MODELS, OPTIONS
from tests.serving.bad_frames import BAD_FRAMES

BAD_CONFIGS: dict[str, dict[str, Any]] = {
    "unknown delivery": {"delivery": 9},
    "unknown priority": {"priority": 9},
    "smoothing below 0": {"smoothing_ms": -1},
    "smoothing above a minute": {"smoothing_ms": 60_001},
    "smoothing that is no number": {"smoothing_ms": math.nan},
    "interval too large": {"detection_interval": 1001},
    "intervals crossed": {"detection_interval": 2, "min_detection_interval": 3},
    "neutral below 0": {"neutral_first_ms": -1},
    "neutral for ever": {"neutral_first_ms": math.inf},
    "name too long": {"stream_id": "x" * 2000},
}


def streams(shared: Path | None) -> Iterator[Stream]:
    """All of them, in a fixed order."""
    yield from _clips()
    yield from _settings()
    yield from _other_payloads()
    yield from _breaches()
    yield from _resumed()
    if shared is not None:
        yield from _videos(shared / "data" / "faces")


def _clips() -> Iterator[Stream]:
    moving = clip(builders.jpeg_clip(30))
    for model in MODELS:
        yield Stream(f"clip, {model}", (config(options={"model": model}), *moving))
    for interval in (1, 2, 8):
        bounds = {"detection_interval": interval, "min_detection_interval": interval}
        yield Stream(f"clip, every {interval} frames", (config(**bounds), *moving), lockstep=False)
    group = [builders.jpeg(pictures.tiled(2, 2, 640 + 2 * i, 480)) for i in range(12)]
    empty = [builders.jpeg(builders.empty_scene())] * 6
    sizes = [builders.jpeg(builders.scene(i / 30, 640 - 80 * (i // 4), 480 - 60 * (i // 4))) for i in range(12)]
    yield Stream("clip of groups", (config(), *clip(group)))
    yield Stream("faces that leave and return", (config(), *clip(builders.jpeg_clip(8) + empty + group[:6])))
    yield Stream("frames that shrink", (config(), *clip(sizes)))


def _settings() -> Iterator[Stream]:
    moving = clip(builders.jpeg_clip(12))
    settings: dict[str, dict[str, Any]] = {
        "no smoothing": {"smoothing_ms": 0},
        "slow smoothing": {"smoothing_ms": 5000},
        "neutral at first": {"neutral_first_ms": 150},
        "latest": {"delivery": pb.DELIVERY_LATEST},
        "low priority": {"priority": pb.PRIORITY_LOW},
        "high priority": {"priority": pb.PRIORITY_HIGH, "frame_deadline_ms": 60_000},
    }
    for name, fields in settings.items():
        yield Stream(f"clip, {name}", (config(**fields), *moving))
    for name, options in OPTIONS.items():
        yield Stream(f"clip, {name}", (config(options=options), *moving[:4]))
    shown = [frame(i, encoded=f.frame.encoded, neutral=i <= 5) for i, f in enumerate(moving, 1)]
    yield Stream("clip, neutral frames", (config(), *shown))
    slow = [frame(i, encoded=f.frame.encoded, capture_time_ns=i * 6 * FRAME_NS) for i, f in enumerate(moving, 1)]
    yield Stream("clip at five frames per second", (config(), *slow))
    yield Stream("defaults", (pb.ClassifyStreamRequest(config=pb.StreamConfig()),))


def _other_payloads() -> Iterator[Stream]:
    data = builders.jpeg(builders.astronaut())
    moved = [pb.Box(x0=169 + i, y0=68, x1=274 + i, y1=178) for i in range(8)]
    boxed = [frame(i, encoded=data, boxes=pb.Boxes(boxes=[box])) for i, box in enumerate(moved, 1)]
    yield Stream("boxes that move", (config(), *boxed))
    mixed = [
        frame(i, encoded=data, **({"boxes": pb.Boxes(boxes=moved[:1])} if i % 3 == 0 else {})) for i in range(1, 9)
    ]
    yield Stream("boxes now and then", (config(), *mixed))
    crops = pb.Crops(images=[pb.Image(encoded=data)])
    yield Stream("crops", (config(), *(frame(i, crops=crops) for i in range(1, 5))))
    layouts = [frame(i, raw=pictures.raw(builders.scene(i / 30), n)) for i, n in enumerate(pictures.FORMATS, 1)]
    yield Stream("every layout", (config(options={"model": "colours"}), *layouts))
    bad = [fields for fields, _ in BAD_FRAMES.values()]
    frames = [frame(i, **({"encoded": data} if i % 6 == 0 else bad[i - i // 6 - 1])) for i in range(1, len(bad))]
    yield Stream("bad frames among good ones", (config(), *frames))


def _breaches() -> Iterator[Stream]:
    good = clip(builders.jpeg_clip(3))
    empty = pb.ClassifyStreamRequest()
    yield Stream("nothing is sent", ())
    yield Stream("a frame first", good)
    yield Stream("an empty message first", (empty,))
    yield Stream("two configs", (config(), *good, config()))
    yield Stream("an empty message later", (config(), *good, empty))
    yield Stream("an id twice", (config(), *good, good[-1]))
    yield Stream("an id that falls", (config(), *good[1:], good[0]))
    yield Stream("an id that falls on a bad frame", (config(), *good[1:], frame(1, encoded=b"")))
    yield Stream(
        "ids with gaps",
        (config(), frame(0, encoded=b""), frame(9, encoded=b""), frame(2**64 - 1, capture_time_ns=0, encoded=b"")),
    )
    yield Stream("a frame too large for gRPC", (config(), good[0], frame(2, encoded=bytes(9 << 20))))
    for name, fields in BAD_CONFIGS.items():
        yield Stream(f"bad config: {name}", (config(**fields), good[0]))


def _resumed() -> Iterator[Stream]:
    """A named stream that is opened three times: at first, after a half-close, and with other options."""
    moving = clip(builders.jpeg_clip(15))
    yield Stream("named", (config(stream_id="camera 1"), *moving[:5]))
    yield Stream("named, opened again", (config(stream_id="camera 1"), *moving[5:10]), end="cancel")
    yield Stream("named, with other options", (config(stream_id="camera 1", smoothing_ms=0), *moving[10:]))
    yield Stream("another name", (config(stream_id="camera 2"), moving[0]))


def _videos(folder: Path) -> Iterator[Stream]:
    for path in sorted(folder.glob("*.mp4")):
        video = cv2.VideoCapture(str(path))
        read = (video.read() for _ in range(40))
        frames = [builders.jpeg(bgr) for there, bgr in read if there]
        video.release()
        yield Stream(f"video {path.name}", (config(), *clip(frames)), lockstep=False)
