"""The process whose instructions are counted: reads frames from a file and classifies them in one stream.

It uses the tree that PYTHONPATH names, and of that the engine and two functions that convert messages, whose places
are arguments: ``MESSAGES MODEL_DIR MODULE:FRAME_FROM_PROTO MODULE:RESULT_TO_PROTO``.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.options import Delivery, StreamOptions
from ferserve.v1 import emotion_pb2 as pb

SELDOM = 1000  # frames between two detections: the detector's own network is not what is counted


def function(place: str) -> Callable[..., Any]:
    """``package.module:name``."""
    module, name = place.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def messages(path: Path) -> Iterator[bytes]:
    """The messages of a file, each after its length."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        yield data[at + 4 : end]
        at = end


def main(path: str, model_dir: str, frame_from: str, result_to: str) -> None:
    """Classify every frame, one after the other."""
    frame_from_proto, result_to_proto = function(frame_from), function(result_to)
    config = EngineConfig(
        model="brightness",
        model_dir=model_dir,
        threads=1,
        max_batch_size=1,
    )
    options = StreamOptions(delivery=Delivery.EVERY, detection_interval=SELDOM, min_detection_interval=SELDOM)
    count = 0
    with Engine(config) as engine, engine.open_stream(options) as stream:
        gc.collect()
        gc.freeze()  # or a walk through all that was imported falls into one run and not into the other
        for data in messages(Path(path)):
            frame = frame_from_proto(pb.Frame.FromString(data), config.max_faces)
            result = stream.submit(frame).result()
            assert len(result.faces) == 1, result
            result_to_proto(result).SerializeToString()
            count += 1
    print(f"{count} frames")


if __name__ == "__main__":
    main(*sys.argv[1:])
