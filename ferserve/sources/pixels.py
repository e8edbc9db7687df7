"""Pixels of decoded frames, upright: luma or BGR."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame

Pixels: TypeAlias = NDArray[np.uint8]

_FULL_RANGE = 2
"""FFmpeg's ``AVCOL_RANGE_JPEG``: luma from 0 to 255. Anything else is taken for 16 to 235, as FFmpeg does."""

_BLACK, _WHITE = 16, 235
_LUMA_FIRST = frozenset(
    (
        "yuv420p",
        "yuvj420p",
        "yuv422p",
        "yuvj422p",
        "yuv444p",
        "yuvj444p",
        "yuv440p",
        "yuvj440p",
        "yuv411p",
        "nv12",
        "nv21",
    )
)
"""FFmpeg's formats whose first plane holds a byte of luma per pixel."""

_TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


def time_of(frame: VideoFrame) -> Fraction | None:
    """The time that the container gives a frame, s, as ``ffprobe`` prints it in ``pts_time``; None without one."""
    return None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base


def is_full_range(frame: VideoFrame) -> bool:
    """Whether luma goes from 0 to 255, not from 16 to 235."""
    return frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")


def quarter_turns(frame: VideoFrame) -> int:
    """Turns by 90 degrees counterclockwise that the container asks for, 0 to 3."""
    return round(frame.rotation / 90) % 4


def upright_bgr(frame: VideoFrame) -> Pixels:
    """uint8 (H, W, 3) BGR, turned as the container says."""
    return turned(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8), quarter_turns(frame))


def upright_luma(frame: VideoFrame) -> Pixels | None:
    """Luma from 0 to 255, uint8 (H, W), turned as the container says; None if the format holds it in another way.

    Within rounding it is the luma of :func:`upright_bgr`, at a tenth of the cost.
    """
    if frame.format.name not in _LUMA_FIRST:
        return None
    plane: Any = frame.planes[0]
    luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
    if not is_full_range(frame):
        luma = _stretched(luma)
    return np.ascontiguousarray(turned(luma, quarter_turns(frame)))


def turned(pixels: Pixels, turns: int) -> Pixels:
    """``pixels`` (H, W) or (H, W, 3) after quarter turns counterclockwise."""
    return np.asarray(cv2.rotate(np.ascontiguousarray(pixels), _TURNS[turns]), np.uint8) if turns else pixels


def _stretched(luma: Pixels) -> Pixels:
    """16 to 235 stretched to 0 to 255; what is darker is black, what is brighter white."""
    above = cv2.subtract(luma, np.full(1, _BLACK, np.uint8))
    return np.asarray(cv2.convertScaleAbs(above, alpha=255 / (_WHITE - _BLACK)), np.uint8)
