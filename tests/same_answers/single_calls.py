"""Single calls: pictures of every kind, boxes, crops, options, faults, and questions about models."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

from ferserve.v1 import emotion_pb2 as pb
from tests import builders
from tests.same_answers import pictures
from tests.same_answers.exchanges import Call, classify
from tests.serving.bad_frames import BAD_FRAMES

MODELS = ("emotion-lite", "emotion-lite-int8", "colours")

OPTIONS = {
    "no model of that name": {"model": "no-such-model"},
    "a path for a model": {"model": "../models/emotion-lite.onnx"},
    "lower score": {"min_score": 0.1},
    "higher score": {"min_score": 0.9},
    "least score": {"min_score": 0.0},
    "score above 1": {"min_score": 1.5},
    "score below 0": {"min_score": -0.1},
    "score that is no number": {"min_score": math.nan},
    "one face": {"max_faces": 1},
    "two faces": {"max_faces": 2},
    "more faces than allowed": {"max_faces": 4_000_000_000},
    "least side": {"detection_side_px": 32},
    "side too small": {"detection_side_px": 31},
    "side of 160": {"detection_side_px": 160},
    "side of 2048": {"detection_side_px": 2048},
    "side too large": {"detection_side_px": 2049},
}


def calls(shared: Path | None) -> Iterator[Call]:
    """All of them, in a fixed order."""
    yield from _models()
    yield from _pictures()
    yield from _raw_layouts()
    yield from _boxes_and_crops()
    group = builders.jpeg(pictures.tiled(2, 3))
    for name, options in OPTIONS.items():
        yield classify(f"options: {name}", options, encoded=group)
    for name, (fields, _) in BAD_FRAMES.items():
        yield classify(f"bad frame: {name}", **fields)
    yield classify("too large for gRPC", encoded=bytes(9 << 20))
    if shared is not None:
        yield from _photographs(shared / "data" / "faces")


def _models() -> Iterator[Call]:
    yield Call("list models", "ListModels", pb.ListModelsRequest())
    for name in ("", *MODELS, "no-such-model", "colours.onnx", "ä\n", "x" * 5000):
        yield Call(f"model {name[:20]!r}", "GetModel", pb.GetModelRequest(name=name))


def _pictures() -> Iterator[Call]:
    for name, data in pictures.encoded_pictures():
        yield classify(name, frame_id=7, encoded=data)
    for (name, bgr), model in zip(pictures.scenes(), itertools.cycle(MODELS)):
        yield classify(f"{name}, {model}", {"model": model}, encoded=builders.jpeg(bgr))


def _raw_layouts() -> Iterator[Call]:
    for name, padding, model in itertools.product(pictures.FORMATS, (0, 32), MODELS[1:]):
        raw = pictures.raw(builders.scene(0.5), name, padding)
        yield classify(f"{name} with {padding} bytes of padding, {model}", {"model": model}, raw=raw)


def _boxes_and_crops() -> Iterator[Call]:
    data = builders.jpeg(builders.astronaut())
    face = builders.ASTRONAUT_FACE
    sets = {
        "one": [face],
        "no": [],
        "three": [face, (0, 0, 512, 512), (10.25, 20.5, 40.75, 60.125)],
        "outside": [(-50, -60, 100, 120), (400, 400, 900, 900)],
        "tiny": [(200, 100, 200.5, 100.5)],
    }
    for (name, boxes), model in itertools.product(sets.items(), MODELS):
        message = pb.Boxes(boxes=[pb.Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1 in boxes])
        yield classify(f"{name} box(es), {model}", {"model": model}, encoded=data, boxes=message)
    x0, y0, x1, y1 = map(int, face)
    crop = builders.astronaut()[y0:y1, x0 : x1 - 1]
    encoded = pb.Image(encoded=builders.jpeg(crop))
    raw = [pb.Image(raw=pictures.raw(crop, name)) for name in pictures.FORMATS]
    for model, (name, images) in itertools.product(
        MODELS, {"one": [encoded], "no": [], "every layout": [encoded, *raw], "many": [encoded] * 40}.items()
    ):
        yield classify(f"{name} crop(s), {model}", {"model": model}, crops=pb.Crops(images=images))
    yield classify("a neutral face alone", encoded=data, neutral=True)


def _photographs(folder: Path) -> Iterator[Call]:
    for path in sorted(folder.iterdir()):
        if path.suffix in (".jpg", ".png"):
            yield classify(f"photograph {path.name}", encoded=path.read_bytes())
