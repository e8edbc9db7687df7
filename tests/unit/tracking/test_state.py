"""What a stream remembers when it is reopened, and how soon it notices faces that come and go."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from skimage import data

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.sources.arrays import raw_image
from ferserve.types import Frame, FrameResult
from tests.tiny_models import write_brightness_model

GREY = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
EMPTY = np.full_like(GREY, 90)
BOX = np.array([[177, 66, 272, 161]], np.float32)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    model = write_brightness_model(tmp_path_factory.mktemp("models") / "brightness.onnx")
    with Engine(EngineConfig(model=str(model), threads=4)) as engine:  # most of them idle: there is time for looks
        yield engine


def _one_frame(engine: Engine, options: StreamOptions, frame_id: int) -> FrameResult:
    with engine.open_stream(options) as stream:
        return stream.submit(Frame(frame_id, raw_image(GREY), boxes=BOX)).result(10)


@pytest.mark.parametrize(
    "changed",
    [StreamOptions(stream_id="s", smoothing_ms=0), StreamOptions(stream_id="s", frame=FrameOptions("emotion-lite"))],
    ids=["smoothing", "model"],
)
def test_a_stream_may_be_reopened_with_other_settings(engine: Engine, changed: StreamOptions) -> None:
    (before,) = _one_frame(engine, StreamOptions(stream_id="s", smoothing_ms=500), 1).faces
    (after,) = _one_frame(engine, changed, 2).faces
    assert after.track_id == before.track_id
    assert (after.heads[0].raw_probabilities is None) == (changed.smoothing_ms == 0)


@pytest.mark.parametrize("kept", [True, False], ids=["tracks kept", "tracks lost"])
def test_no_id_is_used_twice_though_another_server_gave_some_out_meanwhile(engine: Engine, kept: bool) -> None:
    options = StreamOptions(delivery=Delivery.EVERY, stream_id="passed on" if kept else "")
    frames = [Frame(i, raw_image(GREY), boxes=BOX + 100 * i) for i in range(3)]
    with engine.open_stream(options) as stream:
        first = stream.submit(frames[0]).result(10)
    with engine.open_stream(dataclasses.replace(options, last_track_id=9)) as stream:
        assert stream.resumed == kept
        later = [stream.submit(frame).result(10) for frame in frames]
    ids = [face.track_id for result in (first, *later) for face in result.faces]
    assert ids == [1, 1 if kept else 10, *((10, 11) if kept else (11, 12))]


@pytest.mark.parametrize("fps", [60, 30, 15, 10, 5, 2])
def test_a_new_face_is_reported_within_200_ms_and_a_lost_one_within_300(engine: Engine, fps: int) -> None:
    for empty_frames in range(4, 8):  # at any phase of the detector's schedule
        frames = [EMPTY] * empty_frames + [GREY] * fps + [EMPTY] * fps
        with engine.open_stream(StreamOptions(delivery=Delivery.EVERY)) as stream:
            results = [
                stream.submit(Frame(i, raw_image(image), capture_time_ns=1 + i * 10**9 // fps)).result(10)
                for i, image in enumerate(frames)
            ]
        seen = [bool(result.faces) for result in results]
        came, left = empty_frames, empty_frames + fps
        assert not any(seen[:came])
        assert all(seen[came + int(0.2 * fps) : left])
        assert not any(seen[left + int(0.3 * fps) :])


@pytest.mark.parametrize("model", ["emotion-lite", "emotion-lite-int8"])
@pytest.mark.parametrize("marked", [True, False], ids=["on request", "first moments"])
def test_the_bundled_models_learn_a_persons_neutral_face(engine: Engine, model: str, marked: bool) -> None:
    options = StreamOptions(
        FrameOptions(model), Delivery.EVERY, smoothing_ms=0, neutral_first_ms=0 if marked else 10_000
    )
    plain = StreamOptions(FrameOptions(model), Delivery.EVERY, smoothing_ms=0)
    frames = [Frame(i, raw_image(GREY), i, BOX, marked) for i in range(1, 4)]
    with engine.open_stream(plain) as stream:
        (before,) = stream.submit(Frame(1, raw_image(GREY), boxes=BOX)).result(10).faces
    with engine.open_stream(options) as stream:
        (after,) = [stream.submit(frame).result(10) for frame in frames][-1].faces
    heads = list(zip(before.heads, after.heads, strict=True))
    assert [b.name for b, _ in heads] == ["emotion", "emotion_ferplus", "emotion_fer2013", "clarity"]
    for was, now in heads[:3]:
        at = was.labels.index("neutral")
        assert now.probabilities[at] > was.probabilities[at]
    assert heads[3][1].probabilities.tolist() == pytest.approx(heads[3][0].probabilities.tolist())


def test_a_camera_that_changes_its_resolution_keeps_its_faces(engine: Engine) -> None:
    sides = [512, 512, 256, 512, 256, 256, 1024, 1, 512, 512, 512]  # on a single pixel it gets lost for a moment
    options = StreamOptions(delivery=Delivery.EVERY, detection_interval=2, min_detection_interval=2)
    with engine.open_stream(options) as stream:
        for i, side in enumerate(sides):
            image = cv2.resize(GREY, (side, side), interpolation=cv2.INTER_AREA)
            boxes = BOX if i == 0 else None  # the client's box first, then the server's own
            frame = Frame(i, raw_image(image), capture_time_ns=1 + i * 33_000_000, boxes=boxes)
            faces = stream.submit(frame).result(10).faces
            assert 1 in [face.track_id for face in faces] or 6 < i < 10


@pytest.mark.parametrize("step_ns", [0, 33, 33_000, -1])
def test_a_camera_clock_that_counts_no_nanoseconds_is_not_believed(engine: Engine, step_ns: int) -> None:
    """It stands still, or counts ms or µs: faces would never be smoothed on, and never forgotten."""
    state = engine.open_stream().state
    arrivals = [10**9 + i * 33_000_000 for i in range(4)]
    times = [state.advance(10**12 + i * step_ns, arrival) for i, arrival in enumerate(arrivals)]
    assert np.diff(times).tolist() == [33_000_000] * 3


@pytest.mark.parametrize(
    ("capture_ms", "steps_ms"),
    [
        ([1, 41, 81, 121], [40, 40, 40]),
        ([1, 41, 41, 41], [40, 40, 40]),
        ([1, 41, 20, 60], [40, 40, 40]),
        ([1, 41, 9041, 9081], [40, 5000, 40]),
        ([7, 7, 7], [33.333333, 33.333333]),
    ],
)
def test_in_a_stream_of_every_frame_the_servers_clock_does_not_count(
    engine: Engine, capture_ms: list[int], steps_ms: list[float]
) -> None:
    for delay_ms in (1, 900):
        state = engine.open_stream(StreamOptions(delivery=Delivery.EVERY)).state
        times = [state.advance(ms * 10**6, 10**12 + i * delay_ms * 10**6) for i, ms in enumerate(capture_ms)]
        assert (np.diff(times) / 1e6).tolist() == steps_ms


def test_a_stream_is_reopened_while_a_frame_of_its_former_connection_is_at_work(engine: Engine) -> None:
    options = StreamOptions(stream_id="slow")
    former = engine.open_stream(options)
    with former.state.lock:  # as the worker holds it
        opening = threading.Thread(target=engine.open_stream, args=(options,), daemon=True)
        opening.start()
        opening.join(20)
        assert not opening.is_alive()


def test_no_more_faces_are_answered_than_were_asked_for(engine: Engine) -> None:
    """Of two that take turns in being the larger one, the other is not missed, and not shown either."""
    face = GREY[40:190, 140:310]
    options = StreamOptions(FrameOptions(max_faces=1), Delivery.EVERY, detection_interval=2, min_detection_interval=2)
    with engine.open_stream(options) as stream:
        for i in range(12):
            canvas = np.full((240, 640), 90, np.uint8)
            for x, larger in ((20, i // 2 % 2 == 0), (340, i // 2 % 2 == 1)):
                size = (200, 180) if larger else (188, 168)
                canvas[20 : 20 + size[1], x : x + size[0]] = cv2.resize(face, size, interpolation=cv2.INTER_AREA)
            frame = Frame(i, raw_image(canvas), capture_time_ns=1 + i * 33_000_000)
            assert len(stream.submit(frame).result(10).faces) == 1
