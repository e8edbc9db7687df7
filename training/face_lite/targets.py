"""Which cells may learn which face, worked out with NumPy while the picture is made.

What is left to the loss, which knows the predictions, is to choose among a few candidates a face. Choosing among all
cells on the training device cost as much time as the network itself.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ferserve.detection import face_lite as detect
from training.face_lite.faces import ROW_SIZE, Faces
from training.models.face_lite import STRIDES

MAX_FACES = 48
"""Faces kept a picture, the largest first."""
MAX_CANDIDATES = 24
"""Cells that may learn one face, the nearest first."""
SIZE_RANGE = {8: (0.5, 8.0), 16: (1.5, 8.0), 32: (1.75, 1e3)}
"""Sides of faces, in strides, that a level may learn; the ranges overlap and the loss chooses."""


class Targets(TypedDict):
    """Of one picture; batches have one axis more in front.

    ``faces`` float32 (MAX_FACES, 16), rows of :meth:`Faces.to_rows`, padded by zeros. ``candidates`` int32
    (MAX_FACES, MAX_CANDIDATES), cells that may learn the face, -1 for none. ``owner`` int32 (cells,), the face that
    the cell may learn, -1 for no face. ``counted`` float32 (cells,), 0 for cells that learn nothing.
    """

    faces: NDArray[np.float32]
    candidates: NDArray[np.int32]
    owner: NDArray[np.int32]
    counted: NDArray[np.float32]


def cell_grid(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centres (cells, 2), x before y, and strides (cells,) in pixels, in the order of the model's output."""
    grid = detect.cell_grid(height, width, STRIDES)
    return np.ascontiguousarray(grid[:2].T), grid[2]


class TargetMaker:
    """Makes :class:`Targets` for pictures of one size."""

    def __init__(self, height: int, width: int) -> None:
        self._centres, self._strides = cell_grid(height, width)
        self._low = np.array([SIZE_RANGE[int(s)][0] * s for s in self._strides], np.float32)
        self._high = np.array([SIZE_RANGE[int(s)][1] * s for s in self._strides], np.float32)

    def make(self, faces: Faces) -> Targets:
        """Targets of one picture with ``faces``."""
        faces = faces.select(np.argsort(-faces.side, kind="stable")[:MAX_FACES])
        owner, distance = self._owners(faces)
        rows = np.zeros((MAX_FACES, ROW_SIZE), np.float32)
        rows[: len(faces)] = faces.to_rows()
        candidates = np.full((MAX_FACES, MAX_CANDIDATES), -1, np.int32)
        for face in np.unique(owner[owner >= 0]):
            cells = np.flatnonzero(owner == face)
            nearest = cells[np.argsort(distance[cells], kind="stable")]
            candidates[face, : len(nearest)] = nearest[:MAX_CANDIDATES]
            owner[nearest[MAX_CANDIDATES:]] = -1
        return Targets(faces=rows, candidates=candidates, owner=owner, counted=self._counted(faces, owner))

    def _owners(self, faces: Faces) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The face that each cell may learn, or -1, and how far its middle is, in sides of the face."""
        if not len(faces):
            return np.full(len(self._centres), -1, np.int32), np.zeros(len(self._centres), np.float32)
        size = faces.xyxy[:, 2:] - faces.xyxy[:, :2]
        middle = (faces.xyxy[:, :2] + faces.xyxy[:, 2:]) / 2
        side = faces.side[:, None]
        off = np.abs(self._centres - middle[:, None])
        reach = np.maximum(0.3 * size[:, None], 0.75 * self._strides[:, None])
        allowed = (off < reach).all(axis=2) & (side >= self._low) & (side < self._high) & ~faces.ignore[:, None]
        distance = np.where(allowed, np.hypot(off[..., 0], off[..., 1]) / np.maximum(side, 1), np.inf)
        nearest = distance.argmin(axis=0)
        least = distance.min(axis=0)
        return np.where(np.isfinite(least), nearest, -1).astype(np.int32), least.astype(np.float32)

    def _counted(self, faces: Faces, owner: NDArray[np.int32]) -> NDArray[np.float32]:
        """0 for cells that learn no face and whose middle lies in a face that is to be ignored."""
        box = faces.xyxy[faces.ignore][:, None]
        inside = (self._centres > box[..., :2]).all(axis=2) & (self._centres < box[..., 2:]).all(axis=2)
        return ((owner >= 0) | ~inside.any(axis=0)).astype(np.float32)
