"""Where a head is and which way it looks, in the camera's optical frame: pure functions, without ROS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Vector: TypeAlias = tuple[float, float, float]
Matrix: TypeAlias = tuple[Vector, Vector, Vector]
Quaternion: TypeAlias = tuple[float, float, float, float]

GAZE_IN_FACE: Quaternion = (-0.5, 0.5, -0.5, 0.5)
"""From the face's axes (x out of the face, y to the person's left, z up) to those of a gaze (z ahead, x to the person's
right, y down)."""


class Pose(Protocol):
    """Angles in degrees, as ``ferserve.HeadPose``."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Camera:
    """Focal lengths and principal point, px: ``k`` of ``sensor_msgs/CameraInfo``."""

    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def of(cls, k: Sequence[float]) -> Camera | None:
        """The camera of a matrix of nine numbers, row by row; None for that of a camera without calibration."""
        return cls(k[0], k[4], k[2], k[5]) if len(k) == 9 and k[0] > 0 and k[4] > 0 else None


@dataclass(frozen=True)
class HeadFrame:
    """The middle between the eyes in metres, and the quaternion (x, y, z, w) of the face's axes."""

    position: Vector
    orientation: Quaternion


def head_frame(
    landmarks: Sequence[Sequence[float]], pose: Pose, camera: Camera, eyes_apart_m: float
) -> HeadFrame | None:
    """The frame of a head, as REP-155 has it: x out of the face, z up.

    The distance follows from that of the eyes in the picture, which a yaw foreshortens by its cosine. None if the eyes
    are too close together to tell.
    """
    left, right = [_ray(float(x), float(y), camera) for x, y in landmarks[:2]]
    apart = math.dist(left, right)
    seen = math.cos(math.radians(pose.yaw)) * eyes_apart_m
    if not apart > 0 or seen < 0.1 * eyes_apart_m:
        return None
    middle = [(u + v) / 2 for u, v in zip(left, right, strict=True)]
    x, y, z = [value * seen / apart for value in middle]
    turned = _product(_to_ray(x / z, y / z), _head_rotation(pose))
    # Our axes are x to the right of the picture, y down, z into the head; the face's are -z, x and -y of them.
    axes = tuple((-into, right, -down) for right, down, into in turned)
    return HeadFrame((x, y, z), _quaternion(axes))  # type: ignore[arg-type]


def _ray(x: float, y: float, camera: Camera) -> Vector:
    """The unit vector from the camera through a point of the picture."""
    u, v = (x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy
    length = math.sqrt(u * u + v * v + 1)
    return u / length, v / length, 1 / length


def _head_rotation(pose: Pose) -> Matrix:
    """``Rz(roll) Ry(-yaw) Rx(-pitch)``, as docs/results.md defines the angles."""
    (sy, cy), (sp, cp), (sr, cr) = [
        (math.sin(v), math.cos(v)) for v in map(math.radians, (-pose.yaw, -pose.pitch, pose.roll))
    ]
    about_x: Matrix = ((1, 0, 0), (0, cp, -sp), (0, sp, cp))
    about_y: Matrix = ((cy, 0, sy), (0, 1, 0), (-sy, 0, cy))
    about_z: Matrix = ((cr, -sr, 0), (sr, cr, 0), (0, 0, 1))
    return _product(about_z, _product(about_y, about_x))


def _to_ray(x: float, y: float) -> Matrix:
    """The smallest rotation of the optical axis onto the ray (x, y, 1), along which a pose is told."""
    length = math.sqrt(x * x + y * y + 1)
    x, y, z = x / length, y / length, 1 / length
    part = 1 / (1 + z)
    return (1 - x * x * part, -x * y * part, x), (-x * y * part, 1 - y * y * part, y), (-x, -y, z)


def _product(a: Matrix, b: Matrix) -> Matrix:
    columns = list(zip(*b, strict=True))
    rows = [tuple(sum(u * v for u, v in zip(row, column, strict=True)) for column in columns) for row in a]
    return tuple(rows)  # type: ignore[return-value]


def _quaternion(m: Matrix) -> Quaternion:
    """Of a rotation, with w >= 0 (Shepperd 1978: by the largest component)."""
    (a, b, c), (d, e, f), (g, h, i) = m
    four = (1 + a - e - i, 1 - a + e - i, 1 - a - e + i, 1 + a + e + i)
    largest = max(range(4), key=lambda n: four[n])
    twice = 2 * math.sqrt(four[largest])
    x, y, z, w = [
        (four[0], b + d, c + g, h - f),
        (b + d, four[1], f + h, c - g),
        (c + g, f + h, four[2], d - b),
        (h - f, c - g, d - b, four[3]),
    ][largest]
    sign = -1 if w < 0 else 1
    return sign * x / twice, sign * y / twice, sign * z / twice, sign * w / twice
