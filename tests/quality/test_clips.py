"""What real photographs and clips must give with the bundled models: quality is not sold for speed."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.options import Delivery, StreamOptions
from ferserve.types import EncodedImage, Face, Frame, FrameResult, PixelFormat, RawImage

CLIPS = ("test.mp4", "woman2.mp4")  # one face, visible on every frame
EVERY_FRAME = {"detection_interval": 1, "min_detection_interval": 1}
SELDOM = {"detection_interval": 4, "min_detection_interval": 4}  # as on a machine under full load


@pytest.fixture(scope="module", params=["emotion-lite", "emotion-lite-int8"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Whichever of the two is the default here, both are bundled."""
    with Engine(EngineConfig(model=request.param, threads=2)) as engine:
        yield engine


def _frames(path: Path) -> Iterator[Frame]:
    capture = cv2.VideoCapture(str(path))
    fps = capture.get(cv2.CAP_PROP_FPS)
    try:
        for i in range(10_000):
            ok, bgr = capture.read()
            if not ok:
                return
            raw = RawImage(PixelFormat.BGR24, bgr.shape[1], bgr.shape[0], bgr.tobytes())
            yield Frame(i, raw, capture_time_ns=1 + int(i * 1e9 / fps))
    finally:
        capture.release()


def _stream(engine: Engine, path: Path, **options: float) -> list[FrameResult]:
    with engine.open_stream(StreamOptions(delivery=Delivery.EVERY, **options)) as stream:  # type: ignore[arg-type]
        return [stream.submit(frame).result(30) for frame in _frames(path)]


def _main_face(result: FrameResult) -> Face | None:
    return max(result.faces, key=lambda f: (f.box[2] - f.box[0]) * (f.box[3] - f.box[1]), default=None)


def _labels(results: list[FrameResult]) -> list[str]:
    return [face.emotion if (face := _main_face(result)) else "" for result in results]


def _changes(labels: list[str]) -> int:
    return sum(a != b for a, b in itertools.pairwise(labels))


@pytest.fixture(scope="module", params=CLIPS)
def clip(request: pytest.FixtureRequest, shared: Path) -> Path:
    path: Path = shared / "data" / "faces" / request.param
    return path


@pytest.fixture(scope="module")
def served(engine: Engine, clip: Path) -> list[FrameResult]:
    """The clip as a loaded machine serves it."""
    return _stream(engine, clip, **SELDOM)


def test_the_face_is_there_and_keeps_its_id(served: list[FrameResult]) -> None:
    found = [_main_face(result) for result in served]
    assert sum(face is not None for face in found) >= 0.95 * len(served)
    assert len({face.track_id for face in found if face}) == 1


def test_labels_change_at_most_half_as_often_as_unsmoothed(
    engine: Engine, clip: Path, served: list[FrameResult]
) -> None:
    raw = _stream(engine, clip, smoothing_ms=0, **SELDOM)
    assert _changes(_labels(served)) <= 0.5 * _changes(_labels(raw))


def test_looking_seldom_tells_what_looking_always_would(engine: Engine, clip: Path, served: list[FrameResult]) -> None:
    always = _stream(engine, clip, **EVERY_FRAME)
    same = np.mean([a == b for a, b in zip(_labels(served), _labels(always), strict=True)])
    assert same >= 0.97


def test_the_photograph_without_faces_is_a_success_without_faces(engine: Engine, shared: Path) -> None:
    data = (shared / "data" / "faces" / "no-faces.jpg").read_bytes()
    result = engine.classify(Frame(0, EncodedImage(data)))
    assert result.ok
    assert result.faces == ()


def test_the_astronaut_is_one_happy_face(engine: Engine, shared: Path) -> None:
    data = (shared / "data" / "faces" / "astronaut.png").read_bytes()
    (face,) = engine.classify(Frame(0, EncodedImage(data))).faces
    assert face.emotion == "happiness"
