"""Which way a head looks, from five landmarks: a generic face under weak perspective, in closed form.

The five points of the generic face are vertices of MediaPipe's canonical face model (``canonical_face_model.obj``,
Apache-2.0; Kartynnik et al. 2019, arXiv:1907.06724). The affine camera that fits the landmarks best is linear in them
(POS of DeMenthon and Davis, "Model-based object pose in 25 lines of code", IJCV 15, 1995); the nearest scaled rotation
is its polar factor (Higham 1986), which spreads the error evenly over both axes of the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ferserve.types.arrays import to_list
from ferserve.types.value import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# cm from the middle of the face: to the right of the image, down, and away from the camera. Left is right mirrored.
_EYE = (3.1642, -2.6269, -3.6460)  # mean of the corners and lids, vertices 33, 133, 145 and 159
_NOSE = (0.0, 1.1269, -7.4756)  # vertex 1
_MOUTH = (2.4562, 4.3426, -4.2839)  # vertex 61
_LEAST_SHAPE = 0.3
"""Least ratio of the singular values' product to the sum of their squares; it is 0.5 for a face. Below, the landmarks
would be those of a face that was stretched threefold."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadPose(Value):
    """Which way a head looks, in degrees; all 0: straight at the camera, upright.

    The angles are seen along the line from the camera to the face. With the axes x to the right of the image, y down
    and z away from the camera, the head is turned by ``Rz(roll) Ry(-yaw) Rx(-pitch)``, pitch first. So turning the
    picture changes the roll alone, and mirroring it the signs of yaw and roll.
    """

    yaw: float
    """In [-90, 90]; positive: turned to the right of the image, which is the person's left."""
    pitch: float
    """In [-90, 90]; positive: up."""
    roll: float
    """In [-180, 180]; positive: tilted clockwise in the image."""


@dataclass(frozen=True, slots=True)
class PoseCalibration:
    """What a detector's landmarks leave of a turn: they lean towards those of a face that looks at the camera.

    ``yaw``, ``pitch`` and ``roll`` are the factors by which the angles of the landmarks are too small; ``level`` is the
    pitch in degrees that the landmarks of level heads show on average.
    """

    yaw: float = 1.0
    pitch: float = 1.0
    roll: float = 1.0
    level: float = 0.0


EXACT = PoseCalibration()
"""Of landmarks that lie where the points of the face are."""


def head_pose(landmarks: NDArray[np.float32] | None, calibration: PoseCalibration = EXACT) -> HeadPose | None:
    """The pose of a head with ``landmarks`` (5, 2) in px: eye on the image's left, eye on its right, nose, mouth corner
    left, right; None without landmarks, and if they do not show a face from the front.

    ``calibration`` is that of the detector that saw them (:class:`ferserve.detection.base.FaceDetector`).
    """
    if landmarks is None:
        return None
    left_eye, right_eye, nose, left_mouth, right_mouth = to_list(landmarks)
    (a, b) = [  # the affine camera, a row per axis of the image
        (
            _X[0] * (right_eye[axis] - left_eye[axis]) + _X[1] * (right_mouth[axis] - left_mouth[axis]),
            _Y[0] * (eyes := left_eye[axis] + right_eye[axis])
            + _Y[1] * nose[axis]
            + _Y[2] * (mouth := left_mouth[axis] + right_mouth[axis]),
            _Z[0] * eyes + _Z[1] * nose[axis] + _Z[2] * mouth,
        )
        for axis in (0, 1)
    ]
    aa, ab, bb = _dot(a, a), _dot(a, b), _dot(b, b)
    det = aa * bb - ab * ab
    area = math.sqrt(det) if det > 0 else 0.0  # product of the singular values
    if not area > _LEAST_SHAPE * (aa + bb):
        return None
    # The polar factor of [a b] is [(bb + area) a - ab b, (aa + area) b - ab a], scaled; its third row is a x b.
    x, y, z = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    if not z > 0:  # mirrored, or seen from behind
        return None
    roll = math.degrees(math.atan2((aa + area) * b[0] - ab * a[0], (bb + area) * a[0] - ab * b[0]))
    yaw = math.degrees(math.asin(max(-1.0, min(1.0, x / area))))
    pitch = math.degrees(math.atan2(-y, z)) - calibration.level
    return HeadPose(
        _within(90.0, yaw * calibration.yaw),
        _within(90.0, pitch * calibration.pitch),
        _within(180.0, roll * calibration.roll),
    )


def _within(limit: float, angle: float) -> float:
    """The angle in steps that a message's float32 holds exactly: results are the same with and without a server."""
    return round(max(-limit, min(limit, angle)) * 1024) / 1024


def _dot(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _least_squares() -> tuple[tuple[float, float], tuple[float, float, float], tuple[float, float, float]]:
    """The pseudo-inverse of the centred points: what eyes, nose and mouth add to each column of the affine camera.

    Since the face is symmetric, x depends on differences between its sides alone, y and z on sums.
    """
    across = 2 * (_EYE[0] ** 2 + _MOUTH[0] ** 2)
    counts, points = (2, 1, 2), (_EYE, _NOSE, _MOUTH)
    middle = [sum(n * p[axis] for n, p in zip(counts, points, strict=True)) / 5 for axis in range(3)]
    y, z = [[p[axis] - middle[axis] for p in points] for axis in (1, 2)]
    yy, yz, zz = [sum(n * u * v for n, u, v in zip(counts, s, t, strict=True)) for s, t in ((y, y), (y, z), (z, z))]
    det = yy * zz - yz * yz
    down = [(zz * u - yz * v) / det for u, v in zip(y, z, strict=True)]
    away = [(yy * v - yz * u) / det for u, v in zip(y, z, strict=True)]
    return (_EYE[0] / across, _MOUTH[0] / across), (down[0], down[1], down[2]), (away[0], away[1], away[2])


_X, _Y, _Z = _least_squares()
