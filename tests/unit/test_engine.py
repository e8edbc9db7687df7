"""The engine on real frames, with a model whose answers are known."""

import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from skimage import data

from ferserve.config import Device, EngineConfig
from ferserve.engine import Engine
from ferserve.errors import (
    ConfigError,
    InvalidFrameError,
    InvalidOptionsError,
    ModelNotFoundError,
    ModelNotReadyError,
    ModelSpecError,
    OverloadedError,
    StreamProtocolError,
)
from ferserve.models.spec import HeadSpec
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.types import Crops, DropReason, EncodedImage, Frame, FrameResult, PixelFormat, RawImage
from tests.busy import held_workers
from tests.tiny_models import brightness_spec, write_brightness_model

GREY: NDArray[np.uint8] = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
FACE = (177, 66, 272, 161)  # the astronaut's face


def _raw(luma: NDArray[np.uint8]) -> RawImage:
    return RawImage(PixelFormat.GRAY8, luma.shape[1], luma.shape[0], np.ascontiguousarray(luma).tobytes())


def _shade(value: int, side: int = 64) -> RawImage:
    return _raw(np.full((side, side), value, np.uint8))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_brightness_model(tmp_path_factory.mktemp("models") / "brightness.onnx")


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[Engine]:
    with Engine(EngineConfig(model=str(model), threads=2)) as engine:
        yield engine


def _bright(result: FrameResult) -> list[float]:
    return [face.probabilities["bright"] for face in result.faces]


def test_the_astronauts_face_is_found_in_its_place(engine: Engine) -> None:
    jpeg = EncodedImage(cv2.imencode(".jpg", GREY)[1].tobytes())
    result = engine.classify(Frame(7, jpeg, capture_time_ns=5), FrameOptions(detection_side_px=512))
    assert (result.frame_id, result.capture_time_ns, result.width, result.height) == (7, 5, 512, 512)
    (face,) = result.faces
    centre = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    assert np.hypot(centre[0] - 224, centre[1] - 113) < 15
    assert face.track_id == 0
    assert result.timings.total_ms >= result.timings.decode_ms + result.timings.detect_ms > 0
    assert (result.model_name, result.model_version) == ("brightness", "1")


def test_boxes_skip_detection_and_are_answered_in_order(engine: Engine) -> None:
    luma = np.zeros((60, 90), np.uint8)
    luma[:, 30:60], luma[:, 60:] = 102, 255
    boxes = np.array([[60, 0, 90, 30], [0, 0, 30, 30], [30, 5, 60, 35]], np.float32)
    result = engine.classify(Frame(0, _raw(luma), boxes=boxes))
    assert _bright(result) == pytest.approx([1.0, 0.0, 0.4], abs=0.01)
    assert [face.box for face in result.faces] == [tuple(box) for box in boxes.tolist()]
    assert engine.classify(Frame(0, _raw(luma), boxes=boxes[:0])).faces == ()


def test_crops_are_faces_as_they_are(engine: Engine) -> None:
    result = engine.classify(Frame(0, Crops((_shade(51), _shade(255, side=9)))))
    assert _bright(result) == pytest.approx([0.2, 1.0], abs=0.01)
    assert engine.classify(Frame(0, Crops(()))).faces == ()


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[0, 0, np.nan, 5]], "boxes[0] must be finite"),
        ([[0, 0, 5, 5], [3, 3, 3, 8]], "boxes[1] must be finite with x0 < x1"),
        ([[9, 0, 5, 5]], "boxes[0] must be finite with x0 < x1"),
        ([[0, 0, 5, 3e38]], "at most 1e+06 px away"),
        ([[64, 0, 99, 5]], "boxes[0] must overlap the frame of 64x64 px"),
        ([[-9, -9, 0, 0]], "boxes[0] must overlap"),
        ([[0, 0, 5, 5]] * 65, "boxes must be at most 64, got 65"),
    ],
)
def test_boxes_that_make_no_sense(engine: Engine, boxes: list[list[float]], message: str) -> None:
    with pytest.raises(InvalidFrameError) as caught:
        engine.classify(Frame(0, _shade(0), boxes=np.array(boxes, np.float32)))
    assert message in str(caught.value)


def test_what_is_too_thin_for_the_model_is_the_fault_of_the_frame(tmp_path: Path) -> None:
    spec = brightness_spec()
    thin = dataclasses.replace(spec, input=dataclasses.replace(spec.input, margin=-0.2))
    model = write_brightness_model(tmp_path / "thin.onnx", thin)
    boxes = np.array([[0, 0, 20, 20], [0, 0, 40, 10]], np.float32)
    strip = RawImage(PixelFormat.GRAY8, 10, 60, bytes(600))
    with Engine(EngineConfig(model=str(model), threads=1, detector="none")) as engine:
        assert len(engine.classify(Frame(0, _shade(0), boxes=boxes[:1])).faces) == 1
        with pytest.raises(InvalidFrameError, match=r"boxes must keep a width .* margin of -0.2, got 40x10 px"):
            engine.classify(Frame(0, _shade(0), boxes=boxes))
        with pytest.raises(InvalidFrameError, match=r"crops.images\[1\] must keep a width .* got 10x60 px"):
            engine.classify(Frame(0, Crops((_shade(0), strip))))


def test_what_is_too_thin_for_the_model_and_was_found_by_the_server_is_left_out(tmp_path: Path) -> None:
    """Someone who leaves the frame shows a strip of a face; the others are answered."""
    spec = brightness_spec()
    thin = dataclasses.replace(spec, input=dataclasses.replace(spec.input, margin=-0.35))
    model = write_brightness_model(tmp_path / "thin.onnx", thin)
    with Engine(EngineConfig(model=str(model), threads=1)) as engine:
        views = [np.hstack([GREY[:, cut:], GREY]) for cut in range(177, 240, 4)]
        found = [len(engine.classify(Frame(i, _raw(view))).faces) for i, view in enumerate(views)]
    assert (found[0], found[-1]) == (2, 1)
    assert set(found) == {1, 2}


def test_boxes_with_crops_and_no_boxes_without_a_detector(engine: Engine, model: Path) -> None:
    with pytest.raises(InvalidFrameError, match="boxes must be left out"):
        engine.classify(Frame(0, Crops((_shade(0),)), boxes=np.zeros((0, 4), np.float32)))
    with (
        Engine(EngineConfig(model=str(model), threads=1, detector="none")) as bare,
        pytest.raises(InvalidFrameError, match=r"boxes must be given .*; send boxes or crops, or .* 'face-lite'"),
    ):
        bare.classify(Frame(0, _shade(0)))


def test_every_frame_of_a_stream_is_answered_once_under_its_own_id(engine: Engine) -> None:
    with engine.open_stream(StreamOptions(delivery=Delivery.EVERY, smoothing_ms=0)) as stream:
        box = np.array([[0, 0, 64, 64]], np.float32)
        futures = [stream.submit(Frame(i, _shade(i), boxes=box)) for i in range(100)]
        results = [future.result(10) for future in futures]
    assert [r.frame_id for r in results] == list(range(100))
    assert [_bright(r)[0] for r in results] == pytest.approx([i / 255 for i in range(100)], abs=0.005)
    assert {face.track_id for r in results for face in r.faces} == {1}


def test_a_bad_frame_is_a_fault_and_the_stream_lives(engine: Engine) -> None:
    with engine.open_stream(StreamOptions(delivery=Delivery.EVERY)) as stream:
        bad = stream.submit(Frame(1, EncodedImage(b"rubbish"))).result(10)
        good = stream.submit(Frame(2, _shade(9))).result(10)
    assert bad.fault is not None
    assert bad.fault.code == "invalid_frame"
    assert good.ok


def test_frame_ids_must_rise(engine: Engine) -> None:
    with engine.open_stream() as stream:
        stream.submit(Frame(5, _shade(0)))
        with pytest.raises(StreamProtocolError, match="frame_id must rise within a stream, got 5 after 5"):
            stream.submit(Frame(5, _shade(0)))


def test_latest_drops_what_a_newer_frame_has_overtaken(engine: Engine) -> None:
    with held_workers(engine) as gate, engine.open_stream(StreamOptions(delivery=Delivery.LATEST)) as stream:
        futures = [stream.submit(Frame(i, _shade(0))) for i in range(5)]
        gate.set()
        results = [future.result(10) for future in futures]
    assert [r.dropped for r in results] == [DropReason.SUPERSEDED] * 4 + [None]


def test_old_frames_are_dropped_by_their_deadline(engine: Engine) -> None:
    options = StreamOptions(delivery=Delivery.EVERY, frame_deadline_ms=20)
    with held_workers(engine) as gate, engine.open_stream(options) as stream:
        future = stream.submit(Frame(1, _shade(0)))
        with pytest.raises(FutureTimeoutError):
            future.result(0.05)
        gate.set()
        assert future.result(10).dropped is DropReason.DEADLINE


def test_a_full_queue_refuses_and_recovers(model: Path) -> None:
    with Engine(EngineConfig(model=str(model), threads=2, max_queue=2)) as engine, held_workers(engine) as gate:
        waiting: list[Future[FrameResult]] = [engine.submit(Frame(i, _shade(0))) for i in range(2)]
        with pytest.raises(OverloadedError, match="waiting frames must be at most 2"):
            engine.submit(Frame(2, _shade(0)))
        with engine.open_stream() as stream:
            assert stream.submit(Frame(1, _shade(0))).result(10).dropped is DropReason.OVERLOADED
        gate.set()
        assert all(future.result(10).ok for future in waiting)
        assert engine.classify(Frame(3, _shade(0))).ok


def test_closing_answers_what_waits(model: Path) -> None:
    engine = Engine(EngineConfig(model=str(model), threads=2))
    with held_workers(engine) as gate:
        stream = engine.open_stream(StreamOptions(delivery=Delivery.EVERY))
        futures = [stream.submit(Frame(i, _shade(0))) for i in range(3)]
        threading.Timer(0.05, gate.set).start()
        engine.close()
    assert [f.result(10).dropped for f in futures] == [DropReason.SHUTDOWN] * 3
    with pytest.raises(ModelNotReadyError):
        engine.submit(Frame(0, _shade(0)))
    with pytest.raises(ModelNotReadyError):
        stream.submit(Frame(9, _shade(0)))


def test_a_named_stream_is_resumed_with_its_tracks(engine: Engine) -> None:
    options = StreamOptions(delivery=Delivery.EVERY, stream_id="robot-1")
    boxes = np.array([[0, 0, 30, 30], [30, 30, 60, 60]], np.float32)
    with engine.open_stream(options) as first:
        assert not first.resumed
        first.submit(Frame(10, _shade(0), boxes=boxes)).result(10)
    with engine.open_stream(options) as again:
        assert again.resumed
        assert again.last_frame_id == 10
        result = again.submit(Frame(10, _shade(0), boxes=boxes[::-1].copy())).result(10)
    assert [face.track_id for face in result.faces] == [2, 1]


def test_a_second_model_is_loaded_when_it_is_asked_for(engine: Engine) -> None:
    assert {m.name for m in engine.models()} >= {"brightness", "emotion-lite"}
    assert engine.model("").is_default
    result = engine.classify(Frame(0, _raw(GREY), boxes=np.array([FACE], np.float32)), FrameOptions("emotion-lite"))
    assert result.model_name == "emotion-lite"
    assert "ONNX Runtime" in engine.model("emotion-lite").runs_on
    with pytest.raises(ModelNotFoundError):
        engine.submit(Frame(0, _shade(0)), FrameOptions("nobody"))
    with pytest.raises(InvalidOptionsError, match="detection_side_px must be at most 2048"):
        engine.submit(Frame(0, _shade(0)), FrameOptions(detection_side_px=4096))


@pytest.mark.parametrize(
    ("head", "side", "message"),
    [
        (HeadSpec("emotion", ("a", "b"), output="other"), 8, "heads[emotion].output must be one of ['probabilities']"),
        (HeadSpec("emotion", ("a", "b", "c"), output="probabilities"), 8, "heads[emotion].labels must be as many"),
    ],
)
def test_a_spec_that_does_not_fit_its_graph(tmp_path: Path, head: HeadSpec, side: int, message: str) -> None:
    spec = dataclasses.replace(brightness_spec(side=side), heads=(head,))
    path = write_brightness_model(tmp_path / "m.onnx", spec)
    with pytest.raises(ModelSpecError) as caught:
        Engine(EngineConfig(model=str(path), threads=1))
    assert message in str(caught.value)


def test_an_unknown_detector_is_a_configuration_error(model: Path) -> None:
    with pytest.raises(ConfigError, match=r"engine\.detector must be one of"):
        Engine(EngineConfig(model=str(model), detector="psychic"))


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_gpu_that_is_not_there_is_an_error_and_not_a_silent_cpu(model: Path, device: Device) -> None:
    if f"{device.title()}ExecutionProvider".replace("Cuda", "CUDA") in onnxruntime.get_available_providers():
        pytest.skip(f"this machine has {device}")
    with pytest.raises(ConfigError, match=f"got '{device}' where it has"):
        Engine(EngineConfig(model=str(model), device=device))


def test_auto_says_what_it_runs_on(engine: Engine) -> None:
    assert onnxruntime.get_available_providers()[-1] in engine.runs_on or "CUDA" in engine.runs_on


def test_waiting_frames_are_bounded_in_bytes(model: Path) -> None:
    config = EngineConfig(model=str(model), threads=2, max_queue_bytes=10_000)
    with Engine(config) as engine, held_workers(engine) as gate:
        with engine.open_stream(StreamOptions(delivery=Delivery.EVERY)) as stream:
            futures = [stream.submit(Frame(i, _shade(0))) for i in range(4)]  # 4,096 bytes each
            gate.set()
            dropped = [future.result(10).dropped for future in futures]
        assert dropped == [None, None, DropReason.OVERLOADED, DropReason.OVERLOADED]
        huge = _shade(0, side=200)  # alone it may be larger than the whole limit
        assert engine.classify(Frame(9, huge)).ok


def test_the_first_run_of_an_engine_may_take_longer_than_a_frame(model: Path) -> None:
    with (
        Engine(EngineConfig(model=str(model), max_frame_ms=1e-6)) as engine,
        pytest.raises(InvalidFrameError, match=r"\(engine.max_frame_ms\)"),
    ):
        engine.classify(Frame(1, _shade(0)))
