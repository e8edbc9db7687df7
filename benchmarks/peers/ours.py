# /// script
# dependencies = []
# [tool.peer]
# task = "ours"
# ///
"""ferserve without a server: one stream, frame after frame. The servers of crops meet ``ferserve serve``."""

from __future__ import annotations

import itertools

from benchmarks.peers.frame_loop import play_frames
from ferserve.engine import Engine
from ferserve.options import Delivery, StreamOptions
from ferserve.types import EncodedImage, Frame

FRAME_NS = 33_333_333


def main() -> None:
    with Engine() as engine, engine.open_stream(StreamOptions(delivery=Delivery.EVERY)) as stream:
        numbers = itertools.count(1)

        def faces_of(jpeg: bytes) -> int:
            number = next(numbers)
            return len(stream.submit(Frame(number, EncodedImage(jpeg), number * FRAME_NS)).result(60).faces)

        play_frames(faces_of)


if __name__ == "__main__":
    main()
