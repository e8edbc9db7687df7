"""Detections: faces found in one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ferserve.types.value import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections(Value):
    """Faces found in one image.

    ``xyxy`` float32 (N, 4) in pixels; ``score`` float32 (N,) in [0, 1]; ``landmarks`` float32 (N, 5, 2) in pixels, or
    None if the detector has none: eye on the image's left, eye on its right, nose, mouth corner left, mouth corner
    right. ``landmarks_age_ms`` float32 (N,) says how long ago the detector saw them; None: all in this image.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None = None
    landmarks_age_ms: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.xyxy)

    @classmethod
    def empty(cls) -> Detections:
        """Detections without a face."""
        import numpy as np

        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    @classmethod
    def from_boxes(cls, xyxy: NDArray[np.float32]) -> Detections:
        """Boxes (N, 4) that a client sent, each with a score of 1."""
        import numpy as np

        return cls(xyxy, np.ones(len(xyxy), np.float32))

    def select(self, index: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Detections:
        """The rows at ``index``, any index of NumPy."""
        landmarks = None if self.landmarks is None else self.landmarks[index]
        ages = None if self.landmarks_age_ms is None else self.landmarks_age_ms[index]
        return Detections(self.xyxy[index], self.score[index], landmarks, ages)
