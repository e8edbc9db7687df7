"""Post-processing against plain loops; the bundled detector on real pictures and on pictures of nothing."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ferserve.detection.face_lite import cell_grid, decode_cells, merge_cells
from ferserve.detection.factory import open_detector
from ferserve.types import Detections
from tests.builders import ASTRONAUT_FACE, astronaut

LUMA = cv2.cvtColor(astronaut(), cv2.COLOR_BGR2GRAY)
STRIDES = (8, 16, 32)


@pytest.fixture(scope="module")
def detector():  # type: ignore[no-untyped-def]
    return open_detector("face-lite")()


def _iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0) * max(tall, 0)
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


def _decode_slowly(output: NDArray[np.float32], height: int, width: int, min_score: float) -> list[tuple[float, ...]]:
    """Score, box and landmarks of every cell by its definition, one at a time, best first."""
    found, cell = [], 0
    for stride in STRIDES:
        for row in range(height // stride):
            for column in range(width // stride):
                v = output[:, cell].astype(float)
                cell += 1
                score = 1 / (1 + math.exp(-v[0]))
                if score < min_score:
                    continue
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                cx, cy = x + v[1] * stride, y + v[2] * stride
                w, h = math.exp(v[3]) * stride, math.exp(v[4]) * stride
                points = [(x, y)[k % 2] + v[5 + k] * stride for k in range(10)]
                found.append((score, cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, *points))
    return sorted(found, reverse=True)


def test_cells_are_decoded_as_their_definition_says() -> None:
    rng = np.random.default_rng(3)
    output = rng.normal(0, 1.2, (16, 16 * 12 + 8 * 6 + 4 * 3)).astype(np.float32)
    found = decode_cells(output, cell_grid(96, 128, STRIDES), 0.6)
    wanted = np.array(_decode_slowly(output, 96, 128, 0.6))
    assert len(found) == len(wanted) > 50
    assert found.landmarks is not None
    np.testing.assert_allclose(found.score, wanted[:, 0], rtol=1e-5)
    np.testing.assert_allclose(found.xyxy, wanted[:, 1:5], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.landmarks.reshape(-1, 10), wanted[:, 5:], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("min_score", [0.0, 1.0])
def test_the_ends_of_the_score_range_are_allowed(min_score: float) -> None:
    output = np.zeros((16, 21), np.float32)
    found = decode_cells(output, cell_grid(32, 32, STRIDES), min_score)
    assert len(found) == (21 if min_score == 0 else 0)


def test_a_wild_number_makes_no_infinite_box() -> None:
    output = np.zeros((16, 21), np.float32)
    output[3:5] = 3e38
    found = decode_cells(output, cell_grid(32, 32, STRIDES), 0.5)
    assert np.isfinite(merge_cells(found).xyxy).all()


@pytest.mark.parametrize("seed", range(5))
def test_cells_are_merged_as_a_plain_loop_merges_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 100, (80, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(10, 60, (80, 2))], axis=1).astype(np.float32)
    score = np.sort(rng.random(80).astype(np.float32))[::-1].copy()
    kept: list[int] = []
    for i in range(80):
        if all(_iou(boxes[i], boxes[j]) <= 0.45 for j in kept):
            kept.append(i)
    merged = merge_cells(Detections(boxes, score), 0.45, votes=0.6)
    wanted = []
    for i in kept:
        least = min(float(score[i]), 0.5)
        voters = [j for j in range(80) if _iou(boxes[i], boxes[j]) >= 0.6 and score[j] >= least]
        wanted.append(np.average(boxes[voters], axis=0, weights=score[voters]))
    np.testing.assert_allclose(merged.xyxy, wanted, rtol=1e-4)
    np.testing.assert_array_equal(merged.score, score[kept])


def test_the_astronaut_has_one_face_with_landmarks_in_it(detector) -> None:  # type: ignore[no-untyped-def]
    found = detector.detect(LUMA, side_px=320, min_score=0.5)
    assert len(found) == 1
    assert _iou(found.xyxy[0], np.array(ASTRONAUT_FACE, np.float32)) > 0.5
    assert found.landmarks is not None
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    x0, y0, x1, y1 = found.xyxy[0]
    assert ((found.landmarks[0] > (x0, y0)) & (found.landmarks[0] < (x1, y1))).all()


@pytest.mark.parametrize("side_px", [128, 200, 320, 512, 4096])
def test_boxes_are_in_pixels_of_the_image_at_any_resolution(detector, side_px: int) -> None:  # type: ignore[no-untyped-def]
    found = detector.detect(LUMA, side_px=side_px, min_score=0.5)
    assert _iou(found.xyxy[0], np.array(ASTRONAUT_FACE, np.float32)) > 0.5


def test_a_mirrored_picture_has_the_mirrored_face(detector) -> None:  # type: ignore[no-untyped-def]
    straight = detector.detect(LUMA, side_px=320, min_score=0.5)
    mirrored = detector.detect(np.ascontiguousarray(LUMA[:, ::-1]), side_px=320, min_score=0.5)
    box = straight.xyxy[0].copy()
    box[[0, 2]] = LUMA.shape[1] - box[[2, 0]]
    assert _iou(mirrored.xyxy[0], box) > 0.8


def test_strided_views_are_read_in_place(detector) -> None:  # type: ignore[no-untyped-def]
    wide = np.zeros((512, 700), np.uint8)
    wide[:, 50:562] = LUMA
    found = detector.detect(wide[:, 50:562], side_px=320, min_score=0.5)
    np.testing.assert_array_equal(found.xyxy, detector.detect(LUMA, side_px=320, min_score=0.5).xyxy)


WRONG_FORMS = [(0, 9), (9, 0), (9,), (9, 9, 1), (9, 9, 3, 1), (1, 65536)]


@pytest.mark.parametrize("shape", [*WRONG_FORMS, (9, 9, 3)])
def test_an_image_of_another_form_is_refused(detector, shape: tuple[int, ...]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"image must be luma uint8 \(H, W\) of 1 to 65535 px a side, got uint8"):
        detector.detect(np.zeros(shape, np.uint8), side_px=0, min_score=0.5)


def test_other_numbers_than_uint8_are_refused(detector) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"image must be luma uint8 .*, got float32 \(512, 512\)"):
        detector.detect(LUMA.astype(np.float32), side_px=0, min_score=0.5)


def test_faces_at_the_edge_are_cut_there(detector) -> None:  # type: ignore[no-untyped-def]
    x = int(ASTRONAUT_FACE[0]) + 20
    found = detector.detect(np.ascontiguousarray(LUMA[:, x:]), side_px=512, min_score=0.3)
    assert (found.xyxy[:, :2] >= 0).all()
    assert (found.xyxy[:, 2] <= LUMA.shape[1] - x).all()


def _nothing() -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:480, :640]
    return {
        "black": np.zeros((480, 640), np.uint8),
        "white": np.full((480, 640), 255, np.uint8),
        "noise": rng.integers(0, 256, (480, 640), dtype=np.uint8),
        "stripes": ((x // 8 % 2) * 255).astype(np.uint8),
        "waves": (128 + 100 * np.sin(x / 9 + y / 23)).astype(np.uint8),
        "board": (((x // 20 + y // 20) % 2) * 255).astype(np.uint8),
        "gradient": (x * 255 // 640).astype(np.uint8),
    }


@pytest.mark.parametrize("name", _nothing())
def test_pictures_of_nothing_have_no_face(detector, name: str) -> None:  # type: ignore[no-untyped-def]
    assert len(detector.detect(_nothing()[name], side_px=320, min_score=0.5)) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (3, 5), (31, 33), (4320, 7680)])
@pytest.mark.parametrize("side_px", [0, 320, 2048])
def test_frames_of_any_shape_are_looked_at(detector, shape: tuple[int, int], side_px: int) -> None:  # type: ignore[no-untyped-def]
    for value in (0, 255):
        assert len(detector.detect(np.full(shape, value, np.uint8), side_px=side_px, min_score=0.5)) == 0


def test_a_frame_full_of_candidates_is_answered(detector) -> None:  # type: ignore[no-untyped-def]
    tile = cv2.resize(LUMA[40:220, 130:310], (32, 32), interpolation=cv2.INTER_AREA)
    crowd = np.tile(tile, (32, 32))
    found = detector.detect(crowd, side_px=1024, min_score=0.0)
    assert 0 < len(found) <= 1000
    assert np.isfinite(found.xyxy).all()


def _close_up(width: int, height: int, face_px: float) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The astronaut's face, ``face_px`` high, in the middle of a picture; and where it is."""
    scale, (x, y) = face_px / 119.0, (226.5, 116.5)
    at = np.array([[scale, 0, width / 2 - scale * x], [0, scale, height / 2 - scale * y]], np.float32)
    image = cv2.warpAffine(LUMA, at, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    half = np.array([45.5, 59.5]) * scale
    middle = np.array([width / 2, height / 2])
    return image, np.concatenate([middle - half, middle + half]).astype(np.float32)


@pytest.mark.parametrize("side_px", [0, 1280])
@pytest.mark.parametrize(
    ("width", "height", "face_px"),
    [
        (640, 480, 40),
        (640, 480, 460),
        (1000, 1000, 500),
        (1000, 1000, 850),
        (1080, 1920, 1150),
        (1280, 720, 640),
        (2000, 2000, 1600),
        (3024, 4032, 300),
        (3024, 4032, 2400),
        (8000, 6000, 1500),
        (8000, 6000, 5400),
    ],
)
def test_a_close_face_comes_back_whole_and_once(  # type: ignore[no-untyped-def]
    detector, width: int, height: int, face_px: int, side_px: int
) -> None:
    image, truth = _close_up(width, height, face_px)
    found = detector.detect(image, side_px=side_px, min_score=0.5)
    assert len(found) == 1
    assert _iou(found.xyxy[0], truth) > 0.6


@pytest.mark.parametrize(
    ("width", "height", "face_px", "side_px"),
    [
        (640, 480, 20, 640),
        (640, 480, 80, 0),
        (1920, 1080, 20, 1920),
        (1920, 1080, 60, 0),
        (4000, 3000, 40, 2048),
        (4000, 3000, 1500, 0),
    ],
)
def test_a_face_is_found_if_the_look_has_some_20_px_of_it(  # type: ignore[no-untyped-def]
    detector, width: int, height: int, face_px: int, side_px: int
) -> None:
    image, truth = _close_up(width, height, face_px)
    found = detector.detect(image, side_px=side_px, min_score=0.5)
    assert max(_iou(box, truth) for box in found.xyxy) > 0.6


@pytest.mark.parametrize(
    ("width", "height", "faces_px"),
    [
        (640, 480, (30, 80, 200)),
        (1920, 1080, (45, 100, 300, 500)),
        (4000, 3000, (150, 300, 1400)),
        (8000, 6000, (300, 600, 1500)),
    ],
)
def test_near_and_far_faces_of_one_picture_come_back_once_each(  # type: ignore[no-untyped-def]
    detector, width: int, height: int, faces_px: tuple[int, ...]
) -> None:
    head = LUMA[20:220, 125:325]
    image, x, truths = np.full((height, width), 100, np.uint8), 20, []
    for face_px in faces_px:
        scale = face_px / 119.0
        side = round(200 * scale)
        image[20 : 20 + side, x : x + side] = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
        middle = np.array([x + 101.5 * scale, 20 + 96.5 * scale])
        half = np.array([45.5, 59.5]) * scale
        truths.append(np.concatenate([middle - half, middle + half]).astype(np.float32))
        x += side + 20
    found = detector.detect(image, side_px=0, min_score=0.5)
    assert len(found) == len(faces_px)
    for truth in truths:
        assert max(_iou(box, truth) for box in found.xyxy) > 0.5


@pytest.mark.parametrize("face_px", [40, 120, 400, 900])
def test_the_least_score_filters_and_moves_nothing(detector, face_px: int) -> None:  # type: ignore[no-untyped-def]
    image, _ = _close_up(1280, 960, face_px)
    everything = detector.detect(image, side_px=0, min_score=0.05)
    for least in (0.2, 0.5, 0.6, 0.7, 0.95):
        found = detector.detect(image, side_px=0, min_score=least)
        wanted = everything.select(everything.score >= least)
        np.testing.assert_array_equal(found.score, wanted.score)
        np.testing.assert_allclose(found.xyxy, wanted.xyxy, atol=1e-3)
