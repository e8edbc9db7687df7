"""Clips as recorders, phones and camcorders write them, made by code."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer

from tests import builders


def write(
    path: Path,
    pictures: Sequence[builders.Pixels],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times_ms: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    turn_deg: int = 0,
) -> Path:
    """``pictures`` (H, W, 3) BGR at ``path``, at 30 FPS unless ``times_ms`` says when each was taken."""
    with av.open(str(path), "w") as container:
        assert isinstance(container, OutputContainer)
        stream: Any = container.add_stream(codec, rate=30, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = Fraction(1, 30) if times_ms is None else Fraction(1, 1000)
        if turn_deg:
            stream.set_display_rotation(turn_deg)
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts = i if times_ms is None else times_ms[i]
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def moving(frames: int, width: int = 320, height: int = 240) -> list[builders.Pixels]:
    """The moving astronaut."""
    return [builders.scene(i / 30, width, height) for i in range(frames)]


def damage(path: Path, magic: bytes, index: int, count: int) -> None:
    """Zero ``count`` bytes from the ``index``-th place of ``magic`` on."""
    data = bytearray(path.read_bytes())
    places = [i for i in range(len(data)) if data.startswith(magic, i)]
    data[places[index] : places[index] + count] = bytes(count)
    path.write_bytes(data)


def mean_error(ours: object, picture: builders.Pixels) -> float:
    """Mean absolute difference of pixel values."""
    return float(np.abs(np.asarray(ours, np.int16) - picture).mean())
