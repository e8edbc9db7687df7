"""Finding faces in a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ModelSpecError
from ferserve.models.detector_spec import DetectorSpec
from ferserve.types import Detections
from ferserve.vision.geometry import iou_matrix

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

MAX_CANDIDATES = 1000
"""Cells that are looked at a frame, the best first, so that no picture takes longer than another."""
SAME_FACE_IOU = 0.45
"""Two boxes that overlap more than this show one face."""
VOTE_IOU = 0.6
"""Boxes that overlap the best one of a face by this have a say in where it is."""
_MOST_PX = 65535
"""What the letterbox can address."""
_MAX_LOG_SIZE = 6.0
"""Largest logarithm of a box's side in strides: a wild number must not become an infinite box."""


class FaceDetector(Protocol):
    """Finds faces in one image. Each worker thread owns one, so implementations may keep buffers."""

    @property
    def name(self) -> str:
        """The name that chooses this detector in the configuration."""

    @property
    def wants_color(self) -> bool:
        """True where :meth:`detect` takes BGR (H, W, 3) and not luma (H, W)."""

    def detect(self, image: Image, *, side_px: int, min_score: float) -> Detections:
        """Faces in ``image`` that score ``min_score`` (0 to 1) or more, in its own pixels, best score first.

        ``image`` is luma uint8 (H, W), or BGR uint8 (H, W, 3) where :attr:`wants_color`; rows may be strided. It is
        looked at with a longest side of ``side_px``, but never enlarged to it; 0 lets the image's size choose
        (:func:`default_side_px`). A side that is at least the image's own means full resolution.

        Raises :class:`ValueError` for an image of another form, or with more than 65535 pixels on a side.
        """


class Placement(Protocol):
    """Where an image lies in its letterbox."""

    def to_image(self, points: Floats) -> Floats:
        """Letterbox coordinates (..., 2k), x before y, as pixels of the image."""


Infer = Callable[[NDArray[np.uint8]], Floats]
"""uint8 (1, 1, H, W) to float32 (rows, cells), as :class:`~ferserve.models.detector_spec.DetectorSpec` says."""
Letterbox = Callable[[Image, NDArray[np.uint8]], Placement]
"""Writes all of an image into an array of another size, its aspect kept."""


def default_side_px(height: int, width: int) -> int:
    """The side at which a frame is looked at where nobody chose one.

    Half of the frame's longer side, but from 320 to 640 px: at 320 px a webcam's 640x480 shows faces of 10 px up, and
    a camera of 1280x720 or more is there to show faces that are further away.
    """
    return min(max(max(height, width) // 2, 320), 640)


def detection_size(height: int, width: int, side_px: int, multiple: int = 32) -> tuple[int, int]:
    """Height and width of the letterbox: the least multiples that hold the image at ``side_px`` or its own size."""
    longest = max(height, width)
    side = min(side_px or default_side_px(height, width), longest)
    tall, wide = (max(1, round(edge * side / longest)) for edge in (height, width))
    return -(-tall // multiple) * multiple, -(-wide // multiple) * multiple


def _require_form(image: Image, *, color: bool) -> None:
    right = image.ndim == 2 if not color else image.ndim == 3 and image.shape[2] == 3
    if not right or image.dtype != np.uint8 or not image.size or max(image.shape) > _MOST_PX:
        wanted = "BGR uint8 (H, W, 3)" if color else "luma uint8 (H, W)"
        raise ValueError(
            f"image must be {wanted} of 1 to {_MOST_PX} px a side, got {image.dtype} {image.shape}; "
            "convert it with cv2.cvtColor or shrink it"
        )


class FaceLiteDetector:
    """The bundled detector: one luma plane in, boxes, scores and five landmarks out."""

    wants_color = False

    def __init__(self, infer: Infer, letterbox: Letterbox, spec: DetectorSpec) -> None:
        """``infer`` and ``letterbox`` may be shared with other threads."""
        self._infer = infer
        self._letterbox = letterbox
        self._spec = spec
        self._size = (0, 0)
        self._input = np.zeros((1, 1, 0, 0), np.uint8)
        self._cells = np.zeros((3, 0), np.float32)

    @property
    def name(self) -> str:
        """See :class:`FaceDetector`."""
        return self._spec.name

    def detect(self, image: Image, *, side_px: int, min_score: float) -> Detections:
        """See :class:`FaceDetector`."""
        _require_form(image, color=False)
        height, width = image.shape
        self._resize(detection_size(height, width, side_px, self._spec.multiple))
        placement = self._letterbox(image, self._input[0, 0])
        found = decode_cells(self._infer(self._input), self._cells, min_score)
        if not len(found):
            return found
        return to_image(merge_cells(found), placement, image.shape)

    def _resize(self, size: tuple[int, int]) -> None:
        """Buffers for letterboxes of ``size``; frames of a stream share theirs."""
        if size != self._size:
            self._size = size
            self._input = np.zeros((1, 1, *size), np.uint8)
            self._cells = cell_grid(*size, self._spec.strides)


def cell_grid(height: int, width: int, strides: tuple[int, ...]) -> Floats:
    """Centres x and y and stride of every cell, float32 (3, cells), pixels, in the order of the output."""
    levels = []
    for stride in strides:
        y, x = np.mgrid[: height // stride, : width // stride]
        centres = (np.stack([x.ravel(), y.ravel()]) + 0.5) * stride
        levels.append(np.vstack([centres, np.full((1, x.size), stride)]))
    return np.concatenate(levels, axis=1).astype(np.float32)


def decode_cells(output: Floats, cells: Floats, min_score: float) -> Detections:
    """Faces of the cells whose score reaches ``min_score``, best first, in pixels of the letterbox.

    ``output`` float32 (rows, cells) as :class:`~ferserve.models.detector_spec.DetectorSpec` says, ``cells`` from
    :func:`cell_grid`. At most :data:`MAX_CANDIDATES` are looked at.
    """
    logits = output[0]
    with np.errstate(divide="ignore"):
        least = np.log(np.float64(min_score)) - np.log1p(-np.float64(min_score))
    chosen = np.flatnonzero(logits >= least)
    if not len(chosen):
        return Detections.empty()
    order = np.argsort(-logits[chosen], kind="stable")[:MAX_CANDIDATES]
    chosen = chosen[order]
    rows, (x, y, stride) = output[:15, chosen], cells[:, chosen]
    half = np.exp(np.minimum(rows[3:5], _MAX_LOG_SIZE)) * (stride / 2)
    xy = np.stack([x, y])
    centre = rows[1:3] * stride + xy
    landmarks = rows[5:15].reshape(5, 2, -1) * stride + xy
    xyxy = np.concatenate([centre - half, centre + half])
    score = 1 / (1 + np.exp(-rows[0]))
    return Detections(np.ascontiguousarray(xyxy.T), score, np.ascontiguousarray(landmarks.transpose(2, 0, 1)))


def merge_cells(found: Detections, same: float = SAME_FACE_IOU, votes: float = VOTE_IOU) -> Detections:
    """One detection for each face that several cells found, best first.

    Greedy non-maximum suppression: each detection removes those of a lower score that overlap it by more than ``same``.
    What remains takes the mean, weighted by score, of all that overlap it by ``votes``: cells that see one face err
    independently, so their mean trembles less (box voting: Gidaris & Komodakis, arXiv:1505.01749, section 5.2).
    """
    xywh = np.concatenate([found.xyxy[:, :2], found.xyxy[:, 2:] - found.xyxy[:, :2]], axis=1)
    kept = np.asarray(cv2.dnn.NMSBoxes(xywh, found.score, 0.0, same), np.intp).reshape(-1)  # type: ignore[arg-type]
    best = found.select(kept)
    weight = np.where(iou_matrix(best.xyxy, found.xyxy) >= votes, found.score, np.float32(0))
    weight[np.arange(len(kept)), kept] = found.score[kept]
    weight /= weight.sum(axis=1, keepdims=True)
    landmarks = None if found.landmarks is None else (weight @ found.landmarks.reshape(-1, 10)).reshape(-1, 5, 2)
    return Detections(weight @ found.xyxy, best.score, landmarks)


def to_image(found: Detections, placement: Placement, shape: tuple[int, ...]) -> Detections:
    """``found`` in pixels of the image, boxes cut at its edges; boxes that lie outside of it are dropped."""
    height, width = shape[:2]
    xyxy = placement.to_image(found.xyxy)
    np.clip(xyxy[:, 0::2], 0, width, out=xyxy[:, 0::2])
    np.clip(xyxy[:, 1::2], 0, height, out=xyxy[:, 1::2])
    landmarks = None
    if found.landmarks is not None:
        landmarks = placement.to_image(found.landmarks.reshape(-1, 10)).reshape(-1, 5, 2)
    size = xyxy[:, 2:] - xyxy[:, :2]
    inside = np.flatnonzero((size >= 1).all(axis=1))
    moved = Detections(xyxy, found.score, landmarks)
    return moved if len(inside) == len(moved) else moved.select(inside)


_YUNET_LEAST_PX = 8
"""Less shows no face, and of a single pixel OpenCV 4.14 now and then makes a certain face with infinite sides."""


def open_yunet(weights: str, min_score: float, candidates: int) -> cv2.FaceDetectorYN:
    """OpenCV's YuNet from the ONNX file at ``weights``; raises :class:`ModelSpecError` where that is not one."""
    try:
        return cv2.FaceDetectorYN.create(weights, "", (32, 32), min_score, SAME_FACE_IOU, candidates)
    except cv2.error as error:
        raise ModelSpecError(
            f"{weights} must be YuNet's ONNX file, got {error.err}; `ferserve models pull yunet` fetches it"
        ) from None


class YuNetDetector:
    """OpenCV's YuNet, in colour; its weights are fetched on request, not bundled.

    Wu, Peng, Yu: YuNet: a tiny millisecond-level face detector. Machine Intelligence Research 20 (2023), 656-665.
    """

    name = "yunet"
    wants_color = True

    def __init__(self, weights: str) -> None:
        """``weights`` is the path of the ONNX file; see :func:`open_yunet`."""
        self._net = open_yunet(weights, 0.5, MAX_CANDIDATES)

    def detect(self, image: Image, *, side_px: int, min_score: float) -> Detections:
        """See :class:`FaceDetector`."""
        _require_form(image, color=True)
        height, width = image.shape[:2]
        size = detection_size(height, width, side_px, multiple=1)[::-1]
        if min(size) < _YUNET_LEAST_PX:
            return Detections.empty()
        small = image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        self._net.setInputSize(size)
        self._net.setScoreThreshold(min_score)
        rows = self._net.detect(np.ascontiguousarray(small))[1]
        if rows is None:
            return Detections.empty()
        back = np.array([width / size[0], height / size[1]], np.float32)
        order = np.argsort(-rows[:, 14], kind="stable")
        corner, extent = rows[order, :2] * back, rows[order, 2:4] * back
        xyxy = np.concatenate([corner, corner + extent], axis=1).clip(0, [width, height, width, height])
        landmarks = rows[order, 4:14].reshape(-1, 5, 2) * back
        found = Detections(xyxy.astype(np.float32), rows[order, 14].astype(np.float32), landmarks.astype(np.float32))
        return found.select((xyxy[:, 2:] - xyxy[:, :2] >= 1).all(axis=1))
