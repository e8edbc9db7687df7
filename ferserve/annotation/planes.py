"""Decoded frames as pictures to draw into."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ferserve.rendering.yuv import Colors, Pixels, YuvPicture, planes_of
from ferserve.sources.pixels import is_full_range, quarter_turns, turned

if TYPE_CHECKING:
    from av import VideoFrame


def yuv_picture(frame: VideoFrame, aspect: Fraction) -> YuvPicture:
    """A copy of ``frame``, turned as the container says; ``aspect`` is that of its pixels before."""
    codes = [int(getattr(frame, f"color{part}", 2)) for part in ("space", "_primaries", "_trc")]
    colors = Colors(is_full_range(frame), *codes)
    return YuvPicture(upright_i420(frame), colors, 1 / aspect if quarter_turns(frame) % 2 else aspect)


def upright_i420(frame: VideoFrame) -> Pixels:
    """The planes Y, U and V of 4:2:0 below each other, uint8 (H * 3 / 2, W), turned; width and height are even.

    The range of the luma stays. An odd row or column is squeezed in.
    """
    width, height = frame.width & ~1, frame.height & ~1
    name = "yuvj420p" if is_full_range(frame) else "yuv420p"
    if (frame.format.name, frame.width, frame.height) != (name, width, height):
        frame = frame.reformat(width, height, format=name)
    planes = np.asarray(frame.to_ndarray(), np.uint8)
    turns = quarter_turns(frame)
    return _turned_planes(planes, turns) if turns else planes


def _turned_planes(i420: Pixels, turns: int) -> Pixels:
    planes = [turned(plane, turns) for plane in planes_of(i420)]
    return np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, planes[0].shape[1])
