"""Pixels of decoded frames: luma, BGR or planes of 4:2:0, upright."""

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
    return _turned(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8), quarter_turns(frame))


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
    return np.ascontiguousarray(_turned(luma, quarter_turns(frame)))


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


def planes_of(i420: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Views of the planes Y (H, W), U and V (H / 2, W / 2) of (H * 3 / 2, W)."""
    rows, width = i420.shape
    height = rows * 2 // 3
    u, v = i420[height:].reshape(2, height // 2, width // 2)
    return i420[:height], u, v


def _turned(pixels: Pixels, turns: int) -> Pixels:
    return np.asarray(cv2.rotate(np.ascontiguousarray(pixels), _TURNS[turns]), np.uint8) if turns else pixels


def _turned_planes(i420: Pixels, turns: int) -> Pixels:
    turned = [_turned(plane, turns) for plane in planes_of(i420)]
    return np.concatenate([plane.reshape(-1) for plane in turned]).reshape(-1, turned[0].shape[1])


def _stretched(luma: Pixels) -> Pixels:
    """16 to 235 stretched to 0 to 255; what is darker is black, what is brighter white."""
    above = cv2.subtract(luma, np.full(1, _BLACK, np.uint8))
    return np.asarray(cv2.convertScaleAbs(above, alpha=255 / (_WHITE - _BLACK)), np.uint8)
