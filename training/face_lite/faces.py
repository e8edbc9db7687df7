"""The faces of one photograph, the type that all of detector training shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Faces:
    """Faces of one image, pixels, half-open boxes.

    ``xyxy`` float32 (N, 4); ``landmarks`` float32 (N, 5, 2), order as in :class:`ferserve.types.Detections`, NaN
    if unknown; ``score`` float32 (N,), the teacher's, 1 for a box drawn by hand; ``ignore`` bool (N,): neither face
    nor background, so neither learnt nor counted.
    """

    xyxy: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: NDArray[np.float32]
    ignore: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.xyxy)

    @classmethod
    def empty(cls) -> Faces:
        """An empty set."""
        return cls.from_rows(np.zeros((0, ROW_SIZE), np.float32))

    @classmethod
    def from_rows(cls, rows: NDArray[np.float32]) -> Faces:
        """From float32 (N, 16): box, landmarks, score, ignore."""
        return cls(rows[:, :4], rows[:, 4:14].reshape(-1, 5, 2), rows[:, 14], rows[:, 15] > 0.5)

    def to_rows(self) -> NDArray[np.float32]:
        """Inverse of :meth:`from_rows`."""
        columns = (self.xyxy, self.landmarks.reshape(-1, 10), self.score[:, None], self.ignore[:, None])
        return np.concatenate(columns, axis=1).astype(np.float32)

    def select(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Faces:
        """The rows that ``index`` picks, as NumPy would."""
        return Faces(self.xyxy[index], self.landmarks[index], self.score[index], self.ignore[index])

    @property
    def side(self) -> NDArray[np.float32]:
        """Side of the square of the same area, float32 (N,), pixels: "a face of 24 px" means this."""
        size = np.maximum(self.xyxy[:, 2:] - self.xyxy[:, :2], 0)
        side: NDArray[np.float32] = np.sqrt(size[:, 0] * size[:, 1])
        return side


ROW_SIZE = 16
"""Numbers that :meth:`Faces.to_rows` writes for one face."""
