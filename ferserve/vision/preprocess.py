"""From pixels and boxes to rows of a batch, in one pass of the C extension.

Training and serving both call these functions, so a model is served with the pixels that it was trained on. Images
are uint8, (H, W) luma or (H, W, 3) colour; strided views (the Y of YUYV, the Y plane of NV12, a crop) are read in
place. Boxes are ``xyxy`` in continuous pixels: pixel k covers [k, k + 1). The caller owns the outputs. The GIL is
released while many pixels move. Arguments are checked before anything is written: ``ValueError`` names the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve._kernels import Plan, crops_into, features
from ferserve._kernels import letterbox_into as _letterbox_into
from ferserve.models.spec import Color, InputSpec

__all__ = ["Letterbox", "features", "letterbox_into", "preprocess_batch_into", "preprocess_into"]

Image: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]


_FIRST = InputSpec(height=48, width=48)


@lru_cache(maxsize=256)
def _new_plan(spec: InputSpec) -> Plan:
    """``spec`` as the kernels read it: value = pixel * gain + offset."""
    gain = tuple(spec.scale / std for std in spec.std)
    offset = tuple(-mean / std for mean, std in zip(spec.mean, spec.std, strict=True))
    planar = spec.layout == "NCHW"
    return Plan(
        spec.row_shape, spec.color, planar, spec.dtype, spec.resize, gain, offset, spec.margin, spec.square, spec.align
    )


_last: tuple[InputSpec, Plan] = (_FIRST, _new_plan(_FIRST))


def _plan(spec: InputSpec) -> Plan:
    """The plan of ``spec``; the last one is found by identity, because hashing a spec takes as long as a small crop."""
    global _last
    known, plan = _last
    if known is not spec:
        plan = _new_plan(spec)
        _last = (spec, plan)
    return plan


def preprocess_into(
    image: Image,
    color: Color,
    xyxy: Floats,
    spec: InputSpec,
    out: NDArray[Any],
    landmarks: Floats | None = None,
    *,
    row: int = 0,
) -> None:
    """Write one crop of ``image`` per box into ``out[row]``, ``out[row + 1]``, ...

    ``image`` uint8 is (H, W) if ``color`` is luma, (H, W, 3) if it is bgr or rgb. ``xyxy`` float32 (N, 4), half-open
    pixels; parts outside the image repeat its edge, but each box must overlap it. ``landmarks`` float32 (N, 5, 2) as
    in :class:`ferserve.types.Detections` are used if ``spec.align`` asks for them; a face whose landmarks define no
    similarity (NaN, or all in one point) is cropped by its box. ``out`` is an array (at least row + N,
    \\*spec.row_shape) of ``spec.dtype`` with contiguous rows that shares no memory with ``image``.

    Luma is BT.601 (0.299 R + 0.587 G + 0.114 B), taken after the resize and not rounded; a luma image fills all three
    channels of a colour model. Raises ValueError that names the field, the expected and the actual value.
    """
    crops_into(_plan(spec), (image,), color, (xyxy,), out, None if landmarks is None else (landmarks,), row)


def preprocess_batch_into(
    images: Sequence[Image],
    color: Color,
    boxes: Sequence[Floats],
    spec: InputSpec,
    out: NDArray[Any],
    landmarks: Sequence[Floats | None] | None = None,
    *,
    row: int = 0,
    threads: int = 1,
) -> None:
    """Write the crops ``boxes[k]`` of ``images[k]``, image after image, into ``out`` from ``row`` on.

    ``boxes`` holds one float32 (N_k, 4) per image, ``landmarks`` one float32 (N_k, 5, 2) or None; the rest is as in
    :func:`preprocess_into`. The crops are spread over ``threads`` threads, one of them the caller's; while another
    batch uses the threads, the caller works alone.
    """
    if len(images) != len(boxes) or (landmarks is not None and len(landmarks) != len(images)):
        marks = "none" if landmarks is None else len(landmarks)
        raise ValueError(
            f"boxes and landmarks must hold one array per image ({len(images)}), got {len(boxes)} and {marks}"
        )
    marks_of = None if landmarks is None else tuple(landmarks)
    crops_into(_plan(spec), tuple(images), color, tuple(boxes), out, marks_of, row, threads)


class Letterbox(NamedTuple):
    """The place of an image in a letterbox: letterbox = image * scale + (left, top), in continuous pixels."""

    scale: float
    left: int
    top: int

    def to_image(self, points: Floats) -> Floats:
        """From the letterbox to the image: coordinates (..., 2k), x before y, such as ``xyxy`` or landmarks."""
        shift = np.resize(np.array([self.left, self.top], np.float32), points.shape[-1])
        moved: Floats = (points - shift) / np.float32(self.scale)
        return moved

    def from_image(self, points: Floats) -> Floats:
        """From the image to the letterbox: coordinates (..., 2k), x before y."""
        shift = np.resize(np.array([self.left, self.top], np.float32), points.shape[-1])
        moved: Floats = points * np.float32(self.scale) + shift
        return moved


def letterbox_into(
    luma: Image, out: NDArray[Any], *, fill: float = 0.0, scale: float = 1.0, mean: float = 0.0, std: float = 1.0
) -> Letterbox:
    """Write all of ``luma`` uint8 (H, W) into ``out`` uint8 or float32 (h, w), centred, its aspect ratio kept.

    The image is resized by the area method, or bilinearly if it grows; its values are ``(pixel * scale - mean) / std``,
    the border is ``fill``. Returns the place of the image in ``out``. Raises ValueError that names the field.
    """
    if not std > 0:
        raise ValueError(f"std must be above 0, got {std}")
    return Letterbox(*_letterbox_into(luma, out, fill, scale / std, -mean / std))
