"""The stages in their order, with a model whose answers are known and real detections."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ferserve.config import EngineConfig
from ferserve.detection.factory import open_detector
from ferserve.errors import InvalidFrameError
from ferserve.labels import MIN_FACE_SCORE
from ferserve.options import FrameOptions
from ferserve.pipeline import Pipeline, Settings, square_crops
from ferserve.runtime.registry import ModelRegistry
from ferserve.sources.arrays import raw_image
from ferserve.tracking.state import StateSettings, StreamState
from ferserve.types import Crops, EncodedImage, Frame, FrameResult
from ferserve.vision.budget import FrameLimits
from tests.builders import ASTRONAUT_FACE, astronaut, jpeg, scene
from tests.tiny_models import write_brightness_model

LUMA: NDArray[np.uint8] = cv2.cvtColor(astronaut(), cv2.COLOR_BGR2GRAY)
FOUND = FrameOptions(min_score=0.5, max_faces=8)


def _settings(tmp_path: Path, options: FrameOptions = FOUND) -> Settings:
    path = write_brightness_model(tmp_path / "m.onnx")
    registry = ModelRegistry(EngineConfig(model=str(path), max_batch_size=1), 1, lambda: False)
    return Settings(registry.follow([""]).models, options, FrameLimits(10_000_000))


def _run(pipeline: Pipeline, frame: Frame, settings: Settings, state: StreamState | None = None) -> FrameResult:
    return pipeline.run(frame, settings, state, time.monotonic_ns())


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(open_detector("face-lite")(), lambda: 1.0)


def _bright(result: FrameResult) -> list[float]:
    return [face.probabilities["bright"] for face in result.faces]


def test_each_face_is_cropped_at_its_own_box(pipeline: Pipeline, tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    (face,) = _run(pipeline, Frame(0, raw_image(LUMA)), settings).faces
    np.testing.assert_allclose(face.box, ASTRONAUT_FACE, atol=25)
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    assert face.probabilities["bright"] == pytest.approx(LUMA[y0:y1, x0:x1].mean() / 255, abs=0.02)
    assert face.landmarks is not None
    assert face.head_pose is not None
    assert (face.track_id, face.landmarks_age_ms) == (0, 0.0)


def test_one_face_per_client_box_even_without_a_face_in_it(pipeline: Pipeline, tmp_path: Path) -> None:
    boxes = np.array([[0, 0, 60, 60], [300, 300, 400, 400]], np.float32)
    result = _run(pipeline, Frame(0, raw_image(LUMA), boxes=boxes), _settings(tmp_path))
    wanted = [LUMA[0:60, 0:60].mean() / 255, LUMA[300:400, 300:400].mean() / 255]
    assert _bright(result) == pytest.approx(wanted, abs=0.01)
    assert [face.score for face in result.faces] == [1.0, 1.0]


def test_the_largest_faces_are_answered(pipeline: Pipeline, tmp_path: Path) -> None:
    small = cv2.resize(LUMA, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    both = np.zeros((512, 512 + small.shape[1]), np.uint8)
    both[:, :512] = LUMA
    both[: small.shape[0], 512:] = small
    all_of_them = _run(pipeline, Frame(0, raw_image(both)), _settings(tmp_path, FOUND)).faces
    assert len(all_of_them) == 2
    few = dataclasses.replace(FOUND, max_faces=1)
    (largest,) = _run(pipeline, Frame(0, raw_image(both)), _settings(tmp_path, few)).faces
    assert largest.box[2] < 512


def test_a_jpeg_and_its_luma_give_the_same(pipeline: Pipeline, tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    encoded = _run(pipeline, Frame(0, EncodedImage(jpeg(astronaut()))), settings)
    assert _bright(encoded) == pytest.approx(_bright(_run(pipeline, Frame(0, raw_image(LUMA)), settings)), abs=0.02)


def test_a_stream_gives_ids_and_a_single_picture_none(pipeline: Pipeline, tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    state = StreamState(StateSettings(("m",), 0, 0, 2, 2, strict_minimum=True), square_crops)
    for i in range(6):
        frame = Frame(i, raw_image(scene(i / 30)), capture_time_ns=1 + i * 33_000_000)
        with state.lock:
            (face,) = _run(pipeline, frame, settings, state).faces
        assert face.track_id == 1
    assert _run(pipeline, frame, settings).faces[0].track_id == 0


def test_between_two_passes_of_the_detector_a_pose_says_how_old_it_is(pipeline: Pipeline, tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    state = StreamState(StateSettings(("m",), 0, 0, 3, 3, strict_minimum=True), square_crops)
    faces = []
    for i in range(7):
        frame = Frame(i, raw_image(scene(i / 30)), capture_time_ns=1 + i * 40_000_000)
        with state.lock:
            faces.extend(_run(pipeline, frame, settings, state).faces)
    assert [face.landmarks_age_ms for face in faces] == [0, 40, 80, 0, 40, 80, 0]
    for first, later in ((0, 1), (0, 2), (3, 5)):  # landmarks that move and grow together keep their pose
        was, now = faces[first].head_pose, faces[later].head_pose
        assert was is not None
        assert now is not None
        assert (now.yaw, now.pitch, now.roll) == pytest.approx((was.yaw, was.pitch, was.roll), abs=0.05)


def test_a_badge_is_no_face_of_a_single_picture_unless_doubt_is_asked_for(pipeline: Pipeline, tmp_path: Path) -> None:
    small = cv2.resize(LUMA, None, fx=0.18, fy=0.18, interpolation=cv2.INTER_AREA)
    detector = open_detector("face-lite")()
    assert detector is not None
    _, badge = detector.detect(small, side_px=0, min_score=0.5).score
    assert badge < MIN_FACE_SCORE
    usual, all_of_them = (
        _run(pipeline, Frame(0, raw_image(small)), _settings(tmp_path, dataclasses.replace(FOUND, min_score=least)))
        for least in (0.5, 0.25)
    )
    (face,) = usual.faces
    same, doubtful = all_of_them.faces
    assert (same.box, same.score) == (face.box, face.score)
    assert 0.25 <= doubtful.score < 0.4
    assert not doubtful.sure


def test_crops_need_no_detector_and_frames_without_boxes_do(tmp_path: Path) -> None:
    bare, settings = Pipeline(None, lambda: 0.0), _settings(tmp_path)
    assert bare.detector_runs_on == "no detector"
    shades = tuple(raw_image(np.full((20, 20), value, np.uint8)) for value in (0, 51, 255))
    assert _bright(_run(bare, Frame(0, Crops(shades)), settings)) == pytest.approx([0, 0.2, 1], abs=0.01)
    with pytest.raises(InvalidFrameError, match=r"boxes must be given if engine\.detector is 'none'"):
        _run(bare, Frame(0, raw_image(LUMA)), settings)


def test_the_limits_hold(pipeline: Pipeline, tmp_path: Path) -> None:
    settings = dataclasses.replace(_settings(tmp_path), limits=FrameLimits(512 * 512 - 1))
    with pytest.raises(InvalidFrameError):
        _run(pipeline, Frame(0, EncodedImage(jpeg(astronaut()))), settings)
    crops = Crops(tuple(raw_image(np.zeros((9, 9), np.uint8)) for _ in range(9)))
    with pytest.raises(InvalidFrameError, match=r"crops\.images must be at most 8, got 9"):
        _run(pipeline, Frame(0, crops), settings)


def test_times_of_stages_add_up_to_no_more_than_the_whole(pipeline: Pipeline, tmp_path: Path) -> None:
    timings = _run(pipeline, Frame(0, EncodedImage(jpeg(astronaut()))), _settings(tmp_path)).timings
    stages = (timings.decode_ms, timings.detect_ms, timings.preprocess_ms, timings.infer_ms)
    assert min(stages) > 0
    assert timings.queue_ms + sum(stages) <= timings.total_ms


@pytest.mark.parametrize("side", [1, 7, 24])
def test_square_crops_stretch_boxes(side: int) -> None:
    flat = np.repeat(np.array([[10], [200]], np.uint8), 30, axis=0).repeat(50, axis=1)
    crops = square_crops(flat, np.array([[0, 0, 50, 30], [5, 30, 20, 60]], np.float32), side)
    assert crops.shape == (2, side, side)
    assert (crops[0] == 10).all()
    assert (crops[1] == 200).all()
