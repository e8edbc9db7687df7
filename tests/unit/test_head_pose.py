"""Head poses of made landmarks against the angles that made them and against OpenCV, and of real ones."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ferserve
from ferserve.types import HeadPose, PoseCalibration
from ferserve.types.head_pose import head_pose
from tests.builders import astronaut
from tests.quality.head_pose_error import FACE, Angles, Floats, made_errors, ours, reference, rotation, seen

SWAPPED = [1, 0, 2, 4, 3]  # left and right change places in a mirror
TURNED: Angles = (25.0, -15.0, 20.0)


def _far(*angles: float) -> Floats:
    """The landmarks of a face that is seen without perspective, px."""
    return np.asarray((FACE @ rotation(*angles).T)[:, :2] * 9 + (320, 240))


@settings(max_examples=40)
@given(st.floats(-85, 85), st.floats(-80, 80), st.floats(-179, 179))
def test_without_perspective_the_angles_come_back(yaw: float, pitch: float, roll: float) -> None:
    np.testing.assert_allclose(ours(_far(yaw, pitch, roll)), (yaw, pitch, roll), atol=0.5)


def test_the_signs_are_those_of_the_picture() -> None:
    level = _far(0, 0, 0)
    assert ours(level) == pytest.approx((0, 0, 0), abs=0.3)
    to_the_right, up = level.copy(), level.copy()
    to_the_right[2, 0] += 10  # the nose
    up[2, 1] -= 10
    assert ours(to_the_right)[0] > 10
    assert ours(up)[1] > 10
    clockwise = (level - level.mean(0)) @ np.array([[0, 1], [-1, 0]])  # the eye on the left comes to the top
    assert clockwise[0, 1] < clockwise[1, 1]
    assert ours(clockwise) == pytest.approx((0, 0, 90), abs=0.3)


def test_turning_the_picture_moves_the_roll_alone_and_a_mirror_the_signs() -> None:
    marks = seen(FACE, TURNED, 60)
    yaw, pitch, roll = ours(marks)
    for degrees in (-70, 40):
        turned = marks @ rotation(0, 0, degrees)[:2, :2].T
        assert ours(turned) == pytest.approx((yaw, pitch, roll + degrees), abs=0.01)
    mirrored = (marks * (-1, 1))[SWAPPED]
    assert ours(mirrored) == pytest.approx((-yaw, pitch, -roll), abs=0.01)
    assert ours(marks * 0.3 + (900, -50)) == pytest.approx((yaw, pitch, roll), abs=0.01)


@pytest.mark.parametrize(
    ("distance_cm", "noise", "same", "worst"),
    [
        (50, 0.0, True, (1.5, 1.5, 0.6)),
        (200, 0.0, True, (0.5, 0.5, 0.3)),
        (100, 0.0, False, (2.6, 2.8, 1.0)),
        (100, 0.06, False, (4.6, 5.2, 2.4)),
    ],
)
def test_made_poses_of_various_faces_are_as_close_as_the_docs_say(
    distance_cm: float, noise: float, same: bool, worst: Angles
) -> None:
    errors = made_errors(300, distance_cm, noise, ours, same).mean(0)
    assert (errors <= worst).all(), errors
    if noise:  # with noisy landmarks knowing the camera helps little
        assert (errors <= made_errors(300, distance_cm, noise, reference, same).mean(0) + 1.0).all()


def test_opencv_gives_the_angles_the_same_signs_and_order() -> None:
    assert reference(seen(FACE, TURNED, 60)) == pytest.approx(TURNED, abs=0.3)
    assert ours(seen(FACE, TURNED, 60)) == pytest.approx(TURNED, abs=4)


def test_landmarks_that_show_no_face_from_the_front_have_no_pose() -> None:
    level = _far(0, 0, 0).astype(np.float32)
    for marks in (
        np.zeros((5, 2), np.float32),
        np.full((5, 2), np.nan, np.float32),
        np.full((5, 2), np.inf, np.float32),
        np.linspace((0, 0), (90, 40), 5, dtype=np.float32),  # on one line
        level * np.array([1, 0.2], np.float32),
        level[SWAPPED],  # inside out
    ):
        assert head_pose(marks) is None
    assert head_pose(None) is None


def test_a_pose_needs_no_numpy() -> None:
    marks = _far(*TURNED).astype(np.float32)
    plain = tuple(tuple(point) for point in marks.tolist())
    assert head_pose(plain) == head_pose(marks)  # type: ignore[arg-type]


def test_a_calibration_scales_the_angles_from_level_and_stays_in_range() -> None:
    marks = _far(20, 6, 30).astype(np.float32)
    scaled = head_pose(marks, PoseCalibration(yaw=1.5, pitch=4.0, roll=2.0, level=-2.0))
    assert scaled is not None
    assert (scaled.yaw, scaled.pitch, scaled.roll) == pytest.approx((30, 32, 60), abs=0.8)
    wild = head_pose(marks, PoseCalibration(9, 99, 9))
    assert wild == HeadPose(90, 90, 180)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.ascontiguousarray(cv2.resize(astronaut()[:260, 100:360], (500, 500)))


def test_a_photograph_turned_and_mirrored(portrait: np.ndarray) -> None:
    turn = cv2.getRotationMatrix2D((250, 250), -20, 1)
    views = [portrait, np.ascontiguousarray(portrait[:, ::-1]), cv2.warpAffine(portrait, turn, (500, 500))]
    with ferserve.LocalClient() as client:
        poses = [client.classify(view).faces[0].head_pose for view in views]
        given = client.classify(portrait, [(150, 90, 350, 350)]).faces[0]
    assert given.head_pose is None  # boxes have no landmarks
    level, mirrored, clockwise = [pose for pose in poses if pose is not None]
    assert abs(level.yaw) < 10
    assert mirrored.yaw == pytest.approx(-level.yaw, abs=8)
    assert mirrored.roll == pytest.approx(-level.roll, abs=6)
    assert clockwise.roll - level.roll == pytest.approx(20, abs=6)
    assert not any(math.isnan(angle) for angle in (level.yaw, level.pitch, level.roll))
