"""Frames of heads against a camera that sees a made head."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ferserve.types import HeadPose
from tests.quality.head_pose_error import FACE, rotation

K = [700.0, 0.0, 320.0, 0.0, 650.0, 240.0, 0.0, 0.0, 1.0]
OUT_OF_THE_FACE, TO_THE_LEFT, UP = (0, 0, -1), (1, 0, 0), (0, -1, 0)  # in the axes of FACE


def _matrix(quaternion: tuple[float, float, float, float]) -> np.ndarray:
    x, y, z, w = quaternion
    assert x * x + y * y + z * z + w * w == pytest.approx(1)
    axis, angle = np.array([x, y, z]), 2 * np.arctan2(np.linalg.norm([x, y, z]), w)
    return np.asarray(cv2.Rodrigues(axis / max(np.linalg.norm(axis), 1e-12) * angle)[0])


def _seen(at: tuple[float, float, float], turned: np.ndarray) -> np.ndarray:
    points = ((FACE / 100 - (FACE[0] + FACE[1]) / 200) @ turned.T) + at
    return np.asarray(cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.reshape(K, (3, 3)), None)[0][:, 0])


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (-20, 15, 25), (10, -25, -140)])
@pytest.mark.parametrize("at", [(0, 0, 1.0), (0.4, -0.3, 1.5), (-1.2, 0.2, 2.0)])
def test_a_head_is_where_it_was_put_and_looks_where_it_was_turned(
    at: tuple[float, float, float], angles: tuple[float, float, float]
) -> None:
    from ferserve_ros.head_frame import Camera, head_frame

    camera = Camera.of(K)
    assert camera is not None
    ray = np.array(at) / np.linalg.norm(at)
    axis = np.cross((0, 0, 1), ray)
    along = cv2.Rodrigues(axis / max(np.linalg.norm(axis), 1e-12) * np.arccos(ray[2]))[0]
    turned = along @ rotation(*angles)
    frame = head_frame(_seen(at, turned), HeadPose(*angles), camera, 0.0632)
    assert frame is not None
    assert np.linalg.norm(np.subtract(frame.position, at)) < 0.06 * np.linalg.norm(at)
    wanted = turned @ np.array([OUT_OF_THE_FACE, TO_THE_LEFT, UP]).T
    np.testing.assert_allclose(_matrix(frame.orientation), wanted, atol=0.02)


def test_who_looks_at_the_camera_has_an_x_axis_that_points_at_it() -> None:
    from ferserve_ros.head_frame import GAZE_IN_FACE, Camera, head_frame

    camera = Camera.of(K)
    assert camera is not None
    frame = head_frame(_seen((0.5, 0.3, 1.2), np.eye(3)), HeadPose(0, 0, 0), camera, 0.0632)
    assert frame is not None
    face = _matrix(frame.orientation)
    towards = -np.array(frame.position) / np.linalg.norm(frame.position)
    np.testing.assert_allclose(face[:, 0], towards, atol=1e-3)
    gaze = face @ _matrix(GAZE_IN_FACE)
    np.testing.assert_allclose(gaze[:, 2], face[:, 0], atol=1e-6)
    np.testing.assert_allclose(gaze[:, 1], -face[:, 2], atol=1e-6)
    np.testing.assert_allclose(gaze[:, 0], -face[:, 1], atol=1e-6)


def test_without_a_calibration_or_from_the_side_nothing_is_told() -> None:
    from ferserve_ros.head_frame import Camera, head_frame

    assert Camera.of([0.0] * 9) is None
    assert Camera.of([]) is None
    camera = Camera.of(K)
    assert camera is not None
    assert head_frame([(9, 9), (9, 9), (9, 9), (9, 9), (9, 9)], HeadPose(0, 0, 0), camera, 0.0632) is None
    assert head_frame(_seen((0, 0, 1), np.eye(3)), HeadPose(89, 0, 0), camera, 0.0632) is None
