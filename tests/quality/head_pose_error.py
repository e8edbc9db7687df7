"""How far head poses are off: ``python -m tests.quality.head_pose_error [--photographs FOLDER]`` prints the tables.

Made poses project generic faces that differ from the one of :mod:`ferserve.types.head_pose` through a pinhole camera;
OpenCV's solvePnP, which is told the camera, stands beside. Photographs are turned in the image, mirrored, and turned in
depth as reliefs, and seen by the detectors.
"""

from __future__ import annotations

import argparse
import glob
import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.detection.base import FaceDetector
from ferserve.detection.factory import open_detector
from ferserve.types import PoseCalibration
from ferserve.types.head_pose import EXACT, head_pose
from tests.builders import astronaut

Floats = NDArray[np.float64]
Angles = tuple[float, float, float]  # yaw, pitch, roll, degrees
FACE: Floats = np.array(
    [(-3.16, -2.63, -3.65), (3.16, -2.63, -3.65), (0, 1.13, -7.48), (-2.46, 4.34, -4.28), (2.46, 4.34, -4.28)]
)
"""The five points of a face that looks at the camera, cm: to the right of the image, down, away from the camera."""
FOCAL_PX = 800.0
AXES = ("yaw", "pitch", "roll")


def rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """The rotation of a head (3, 3), composed by OpenCV of turns about single axes."""
    turns = [cv2.Rodrigues(np.radians(v))[0] for v in ((0.0, 0.0, roll), (0.0, -yaw, 0.0), (-pitch, 0.0, 0.0))]
    return np.asarray(turns[0] @ turns[1] @ turns[2])


def somebody(rng: np.random.Generator) -> Floats:
    """The points of a face whose width, height, depth and nose differ from the generic one by 8 % (one sigma)."""
    face = FACE * (1 + 0.08 * rng.standard_normal(3))
    face[2] += 0.08 * 3.8 * rng.standard_normal() * np.array([0, 0.5, 1])
    return face


def seen(face: Floats, angles: Angles, distance_cm: float) -> Floats:
    """The landmarks (5, 2), px, of a turned head in the middle of the picture."""
    turned = (face - face.mean(0)) @ rotation(*angles).T + (0, 0, distance_cm)
    return np.asarray(turned[:, :2] / turned[:, 2:] * FOCAL_PX)


def ours(landmarks: Floats, calibration: PoseCalibration = EXACT) -> Angles:
    """The pose of landmarks; NaN without one."""
    pose = head_pose(landmarks.astype(np.float32), calibration)
    return (math.nan, math.nan, math.nan) if pose is None else (pose.yaw, pose.pitch, pose.roll)


def reference(landmarks: Floats) -> Angles:
    """The pose by OpenCV's solvePnP, which knows the focal length and minimises the error of the landmarks."""
    camera = np.diag([FOCAL_PX, FOCAL_PX, 1.0])
    found, vector, _ = cv2.solvePnP(FACE, landmarks, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    assert found
    (_, _, _, _, _, _, angles) = cv2.decomposeProjectionMatrix(np.hstack([cv2.Rodrigues(vector)[0], np.zeros((3, 1))]))
    pitch, yaw, roll = angles.ravel()
    return -yaw, -pitch, roll


def made_errors(
    count: int, distance_cm: float, noise: float, find: Callable[[Floats], Angles], same: bool = False
) -> Floats:
    """Absolute errors (count, 3) in degrees over yaw within 45, pitch within 25 and roll within 30; ``noise`` of each
    landmark is a share of the distance of the eyes, and ``same`` gives everybody the generic face."""
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(count):
        angles = (rng.uniform(-45, 45), rng.uniform(-25, 25), rng.uniform(-30, 30))
        marks = seen(FACE if same else somebody(rng), angles, distance_cm)
        eyes = 6.32 / distance_cm * FOCAL_PX
        marks = marks + noise * eyes / math.sqrt(2) * rng.standard_normal(marks.shape)
        errors.append(np.abs(np.subtract(find(marks), angles)))
    return np.array(errors)


def turned_in_image(gray: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """A square picture, turned clockwise about its middle."""
    side = len(gray)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), -degrees, 1)
    return np.asarray(cv2.warpAffine(gray, turn, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def turned_in_depth(gray: NDArray[np.uint8], landmarks: Floats, yaw: float, pitch: float) -> NDArray[np.uint8]:
    """A photograph as a relief, an ellipsoid with a nose where its ``landmarks`` (5, 2) are, turned and seen again."""
    scale = np.linalg.norm(landmarks[1] - landmarks[0]) / 6.32  # px per cm
    fine = cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    rows, columns = np.mgrid[0 : fine.shape[0], 0 : fine.shape[1]]
    x = ((columns + 0.5) / 2 - landmarks[:, 0].mean()) / scale
    y = ((rows + 0.5) / 2 - landmarks[:, 1].mean()) / scale + FACE[:, 1].mean()
    head = -9 * np.sqrt(np.clip(1 - (x / 7.5) ** 2 - (y / 11) ** 2, 0, None))
    above = np.where(y < 1.13, 2.0, 0.8)
    nose = -2.7 * np.exp(-((x / 1.1) ** 2 + ((y - 1.13) / above) ** 2) / 2)
    points = np.stack([x, y, head + nose + 4.2 - FACE[:, 2].mean()]).reshape(3, -1)
    moved = rotation(yaw, pitch, 0) @ points
    at_x = np.rint(moved[0] * scale + landmarks[:, 0].mean()).astype(int)
    at_y = np.rint((moved[1] - FACE[:, 1].mean()) * scale + landmarks[:, 1].mean()).astype(int)
    inside = np.flatnonzero((at_x >= 0) & (at_y >= 0) & (at_x < gray.shape[1]) & (at_y < gray.shape[0]))
    order = inside[np.argsort(-moved[2, inside], kind="stable")]  # the nearest last
    picture, known = np.zeros(gray.shape, np.float32), np.zeros(gray.shape, np.float32)
    picture[at_y[order], at_x[order]] = fine.ravel()[order]
    known[at_y[order], at_x[order]] = 1
    for side in (3, 31, 301):  # what no point reached, from its neighbours
        near, weight = cv2.blur(picture * known, (side, side)), cv2.blur(known, (side, side))
        fill = (known == 0) & (weight > 1e-6)
        picture[fill], known[fill] = near[fill] / weight[fill], 1
    return np.rint(picture).clip(0, 255).astype(np.uint8)


def landmarks_of(detector: FaceDetector, gray: NDArray[np.uint8]) -> Floats | None:
    """The landmarks (5, 2) of the largest face; None without one."""
    image = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR) if detector.wants_color else np.ascontiguousarray(gray)
    found = detector.detect(np.asarray(image, np.uint8), side_px=0, min_score=0.5)
    if len(found) == 0 or found.landmarks is None:
        return None
    return np.asarray(found.landmarks[int(np.argmax(np.ptp(found.xyxy[:, ::2], axis=1)))], np.float64)


def photographs(folder: str | None) -> Iterator[NDArray[np.uint8]]:
    """The astronaut, and photographs of faces in their middle: grey, 500 x 500."""
    yield np.asarray(cv2.resize(cv2.cvtColor(astronaut()[:260, 100:360], cv2.COLOR_BGR2GRAY), (500, 500)), np.uint8)
    for path in sorted(glob.glob(f"{folder}/*.jpg"))[3::120] if folder else []:
        yield np.asarray(cv2.resize(cv2.imread(path, cv2.IMREAD_GRAYSCALE), (500, 500)), np.uint8)


def _print_made() -> None:
    print("| landmarks off by | camera at | yaw, pitch, roll | of solvePnP |\n|---|---|---|---|")
    for same, noise in ((True, 0.0), (False, 0.0), (False, 0.03), (False, 0.06), (False, 0.1)):
        for distance in (50.0, 100.0, 200.0):
            errors = [made_errors(2000, distance, noise, find, same).mean(0) for find in (ours, reference)]
            cells = [", ".join(f"{error:.1f}" for error in of_one) for of_one in errors]
            print(f"| {noise:.0%}{', generic face' if same else ''} | {distance / 100} m | {' | '.join(cells)} |")


def _print_seen(detector: FaceDetector, folder: str | None) -> None:
    """How much of a turn is told, and how far off that is; with the raw angles, from which calibrations are made."""
    told: dict[str, list[tuple[float, float, float]]] = {}  # turn, told, raw
    calibration = detector.pose_calibration
    for gray in photographs(folder):
        marks, mirrored = landmarks_of(detector, gray), landmarks_of(detector, gray[:, ::-1])
        if marks is None or mirrored is None:
            continue
        base, raw, back = ours(marks, calibration), ours(marks), ours(mirrored, calibration)
        for axis, (name, sign) in enumerate(zip(AXES, (-1, 1, -1), strict=True)):
            told.setdefault(f"level {name}", []).append((0, base[axis], raw[axis]))
            told.setdefault(f"mirrored {name}", []).append((base[axis], sign * back[axis], math.nan))
            for degrees in (-30, -20, -10, 10, 20, 30):
                if (found := landmarks_of(detector, _turned(gray, marks, axis, degrees))) is not None:
                    now = ours(found, calibration)[axis] - base[axis], ours(found)[axis] - raw[axis]
                    told.setdefault(f"turned {name}", []).append((degrees, *now))
    print("| pictures | mean error | mean absolute error | factor that fits the raw angles |\n|---|---|---|---|")
    for what, rows in told.items():
        turn, now, unscaled = np.array([row for row in rows if not math.isnan(row[1])]).T
        factor = f"{turn @ unscaled / (unscaled @ unscaled):.2f}" if turn.any() and "turned" in what else ""
        print(f"| {what}, {len(turn)} | {np.mean(now - turn):+.1f} | {np.abs(now - turn).mean():.1f} | {factor} |")


def _turned(gray: NDArray[np.uint8], marks: Floats, axis: int, degrees: float) -> NDArray[np.uint8]:
    """The picture with the head turned about one axis: yaw, pitch, roll."""
    if axis == 2:
        return turned_in_image(gray, degrees)
    return turned_in_depth(gray, marks, *((degrees, 0.0) if axis == 0 else (0.0, degrees)))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--photographs", help="a folder of photographs with a face each; without it the astronaut alone"
    )
    parser.add_argument("--detector", default="face-lite")
    args = parser.parse_args()
    _print_made()
    detector = open_detector(args.detector)()
    assert detector is not None
    _print_seen(detector, args.photographs)


if __name__ == "__main__":
    main()
