"""The interface of every face detector, and the size at which it sees an image."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve.types import Detections, PoseCalibration

Image: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]

MAX_CANDIDATES = 1000
"""Candidates per image, the best first, so that no picture takes longer than another."""
SAME_FACE_IOU = 0.45
"""Two boxes that overlap more than this show one face."""
_MAX_SIDE_PX = 65535
"""The letterbox kernel addresses no more."""


class FaceDetector(Protocol):
    """Finds faces in one image. Each worker thread owns one, so implementations may keep buffers."""

    @property
    def name(self) -> str:
        """The name that chooses this detector in the configuration."""

    @property
    def runs_on(self) -> str:
        """The runtime and provider that run the detector, such as ``ONNX Runtime 1.31 CPUExecutionProvider``."""

    @property
    def wants_color(self) -> bool:
        """True if :meth:`detect` takes BGR (H, W, 3), False if it takes luma (H, W)."""

    @property
    def pose_calibration(self) -> PoseCalibration:
        """What its landmarks leave of a turn of the head."""

    def detect(self, image: Image, *, side_px: int, min_score: float) -> Detections:
        """Faces in ``image`` that score at least ``min_score`` (0 to 1), in its own pixels, best score first.

        ``image`` is luma uint8 (H, W), or BGR uint8 (H, W, 3) if :attr:`wants_color`; rows may be strided. The
        detector sees it with a longest side of ``side_px``, never enlarged; 0 lets the image's size choose
        (:func:`default_side_px`). A side of at least the image's own means full resolution. ``min_score`` only
        filters: it moves no box. A face too large for this scale is looked at again at smaller ones.

        Raises :class:`ValueError` for an image of another form, or with more than 65535 pixels on a side.
        """


def default_side_px(height: int, width: int) -> int:
    """The side at which the detector sees an image if nobody chose one.

    Half of the image's longer side, from 320 to 640 px: at 320 px a webcam's 640x480 shows faces of 10 px up, and a
    camera of 1280x720 or more is there to show faces that are further away.
    """
    return min(max(max(height, width) // 2, 320), 640)


def detection_size(height: int, width: int, side_px: int, multiple: int = 32) -> tuple[int, int]:
    """Height and width of the letterbox: the least multiples that hold the image at ``side_px`` or its own size."""
    longest = max(height, width)
    side = min(side_px or default_side_px(height, width), longest)
    tall, wide = (max(1, round(edge * side / longest)) for edge in (height, width))
    return -(-tall // multiple) * multiple, -(-wide // multiple) * multiple


def require_form(image: Image, *, color: bool) -> None:
    """Raises :class:`ValueError` unless ``image`` is BGR (``color``) or luma, uint8 and of a valid size."""
    right = image.ndim == 2 if not color else image.ndim == 3 and image.shape[2] == 3
    if not right or image.dtype != np.uint8 or not image.size or max(image.shape) > _MAX_SIDE_PX:
        wanted = "BGR uint8 (H, W, 3)" if color else "luma uint8 (H, W)"
        raise ValueError(
            f"image must be {wanted} of 1 to {_MAX_SIDE_PX} px a side, got {image.dtype} {image.shape}; "
            "convert it with cv2.cvtColor or shrink it"
        )
