"""What the cells of face-lite learn: the loss, for any backend of Keras.

Assignment by alignment of score and overlap (Feng et al., "TOOD", arXiv:2108.07755, section 3.2); score by varifocal
loss (Zhang et al., arXiv:2008.13367, equation 2); box by DIoU loss (Zheng et al., arXiv:1911.08287, section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from keras import ops

from training.face_lite.targets import cell_grid

Tensor = Any


class Decoded(NamedTuple):
    """What the cells say, in pixels: ``logit`` (B, A), ``xyxy`` (B, A, 4), ``landmarks`` (B, A, 5, 2)."""

    logit: Tensor
    xyxy: Tensor
    landmarks: Tensor


@dataclass(frozen=True)
class FaceLoss:
    """``loss(targets, cells)``: :class:`~training.face_lite.targets.Targets` of a batch, the model's output (B, A, 16).

    The weights of the three parts; ``top`` is how many cells may learn one face.
    """

    height: int
    width: int
    box_weight: float = 2.0
    landmark_weight: float = 20.0
    top: int = 9

    def __call__(self, targets: Mapping[str, Tensor], cells: Tensor) -> Tensor:
        parts = self.parts(targets, cells)
        return parts["score"] + self.box_weight * parts["box"] + self.landmark_weight * parts["landmarks"]

    def parts(self, targets: Mapping[str, Tensor], cells: Tensor) -> dict[str, Tensor]:
        """The three losses before their weights, each a mean over what the cells learn."""
        decoded = self.decode(ops.cast(cells, "float32"))
        face = ops.take_along_axis(targets["faces"], ops.maximum(targets["owner"], 0)[..., None], axis=1)
        share = ops.stop_gradient(self.share(targets, decoded, face))
        mass = ops.maximum(ops.sum(share), 1.0)
        return {
            "score": ops.sum(targets["counted"] * score_loss(decoded.logit, share)) / mass,
            "box": ops.sum(share * box_loss(decoded.xyxy, face[..., :4])) / mass,
            "landmarks": ops.sum(share * landmark_loss(decoded.landmarks, face)) / mass,
        }

    def decode(self, cells: Tensor) -> Decoded:
        """Pixels from what the cells say; the same arithmetic as in ``ferserve/detection/face_lite.py``."""
        centres, strides = (ops.convert_to_tensor(array) for array in cell_grid(self.height, self.width))
        stride = strides[:, None]
        centre = centres + cells[..., 1:3] * stride
        half = ops.exp(ops.clip(cells[..., 3:5], -4.0, 6.0)) * (stride / 2)
        points = ops.reshape(cells[..., 5:15], (-1, centres.shape[0], 5, 2)) * stride[:, None] + centres[:, None]
        return Decoded(cells[..., 0], ops.concatenate([centre - half, centre + half], axis=-1), points)

    def share(self, targets: Mapping[str, Tensor], decoded: Decoded, face: Tensor) -> Tensor:
        """(B, A) in [0, 1]: how much of a face a cell is to be: 1 for the best of its face, 0 outside the ``top``."""
        owner, candidates = targets["owner"], targets["candidates"]
        iou = overlap(decoded.xyxy, face[..., :4])
        # The small addition lets faces be learnt that no cell overlaps yet.
        metric = ops.sqrt(ops.sigmoid(decoded.logit)) * (iou + 0.05) ** 3 * ops.cast(owner >= 0, "float32")
        shape = ops.shape(candidates)
        flat = ops.reshape(ops.maximum(candidates, 0), (shape[0], -1))
        ranked = ops.reshape(ops.take_along_axis(metric, flat, axis=1), shape) * ops.cast(candidates >= 0, "float32")
        ranked = ops.top_k(ranked, self.top)[0]
        best = ops.take_along_axis(ranked[..., 0], ops.maximum(owner, 0), axis=1)
        limit = ops.take_along_axis(ranked[..., -1], ops.maximum(owner, 0), axis=1)
        return metric / ops.maximum(best, 1e-9) * ops.cast(metric >= limit, "float32")


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes whose shapes broadcast."""
    size = ops.maximum(ops.minimum(a[..., 2:], b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2]), 0.0)
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    shared = size[..., 0] * size[..., 1]
    union = size_a[..., 0] * size_a[..., 1] + size_b[..., 0] * size_b[..., 1] - shared
    return shared / ops.maximum(union, 1e-6)


def score_loss(logit: Tensor, share: Tensor) -> Tensor:
    """Varifocal loss (B, A)."""
    weight = ops.where(share > 0, share, ops.stop_gradient(ops.sigmoid(logit)) ** 2)
    return ops.binary_crossentropy(share, logit, from_logits=True) * weight


def box_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """DIoU loss (B, A)."""
    low = ops.minimum(predicted[..., :2], wanted[..., :2])
    high = ops.maximum(predicted[..., 2:], wanted[..., 2:])
    diagonal = ops.sum((high - low) ** 2, axis=-1)
    apart = (predicted[..., :2] + predicted[..., 2:] - wanted[..., :2] - wanted[..., 2:]) / 2
    return 1 - overlap(predicted, wanted) + ops.sum(apart**2, axis=-1) / ops.maximum(diagonal, 1e-6)


def landmark_loss(predicted: Tensor, face: Tensor, beta: float = 0.01) -> Tensor:
    """Smooth L1 of the landmarks in parts of the face's side (B, A); unknown landmarks (NaN) do not count."""
    size = ops.maximum(face[..., 2:4] - face[..., :2], 1.0)
    side = ops.sqrt(size[..., 0] * size[..., 1])[..., None, None]
    wanted = ops.reshape(face[..., 4:14], ops.shape(predicted))
    known = ops.logical_not(ops.isnan(wanted))
    off = ops.abs(predicted - ops.where(known, wanted, predicted)) / side
    smooth = ops.where(off < beta, off**2 / (2 * beta), off - beta / 2)
    return ops.mean(ops.cast(known, "float32") * smooth, axis=(-1, -2))
