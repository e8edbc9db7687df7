"""A client without a server answers as an engine does, and fails as a client of a server does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferserve
from ferserve import errors
from ferserve.engine import Engine
from ferserve.local import LocalClient
from tests import builders


@pytest.fixture
def client(engine: Engine) -> Iterator[LocalClient]:
    with LocalClient(engine) as client:
        yield client


def test_a_picture_by_every_way_in_has_the_same_face(client: LocalClient, tmp_path: Path) -> None:
    jpeg = builders.jpeg(builders.astronaut())
    path = tmp_path / "astronaut.jpg"
    path.write_bytes(jpeg)
    boxes = {client.classify(image).faces[0].box for image in (jpeg, path, str(path), ferserve.EncodedImage(jpeg))}
    assert len(boxes) == 1
    array = client.classify(builders.astronaut())
    assert (array.width, array.height) == builders.astronaut().shape[1::-1]
    np.testing.assert_allclose(array.faces[0].box, boxes.pop(), atol=4)


def test_boxes_skip_detection_and_keep_their_order(client: LocalClient) -> None:
    boxes = [(300, 300, 340, 340), (10, 20, 60, 70)]
    faces = client.classify(builders.astronaut(), boxes).faces
    assert [face.box for face in faces] == boxes
    assert [face.score for face in faces] == [1, 1]


def test_a_video_file_an_iterable_and_an_asynchronous_one_give_the_same(client: LocalClient, tmp_path: Path) -> None:
    clip = builders.jpeg_clip(6)
    path = tmp_path / "clip.mjpeg"
    path.write_bytes(b"".join(clip))

    async def arriving() -> AsyncIterator[bytes]:
        for jpeg in clip:
            await asyncio.sleep(0)
            yield jpeg

    for source in (path, clip, iter(clip), arriving()):
        results = list(client.stream(source))
        assert [result.frame_id for result in results] == [1, 2, 3, 4, 5, 6]
        assert all(len(result.faces) == 1 for result in results)
        assert {result.faces[0].track_id for result in results} == {1}


def test_frames_are_pulled_as_results_are_taken_and_the_source_is_closed(engine: Engine) -> None:
    pulled, closed = 0, threading.Event()

    def source() -> Iterator[bytes]:
        nonlocal pulled
        try:
            while True:
                pulled += 1
                yield builders.jpeg(builders.astronaut())
        finally:
            closed.set()

    with LocalClient(engine, max_in_flight=2) as client:
        results = client.stream(source())
        for taken in range(1, 4):
            next(results)
            assert pulled <= taken + 2
        results.close()
        assert closed.wait(20)


def test_an_asynchronous_source_is_closed_with_its_stream(client: LocalClient) -> None:
    closed = threading.Event()

    async def source() -> AsyncIterator[bytes]:
        try:
            while True:
                yield builders.jpeg(builders.astronaut())
        finally:
            closed.set()

    results = client.stream(source())
    next(results)
    results.close()
    assert closed.wait(20)


def _raising(error: BaseException) -> Iterator[bytes]:
    yield builders.jpeg(builders.astronaut())
    raise error


FAILURES: dict[str, tuple[Callable[[LocalClient], Any], type[Exception], str]] = {
    "empty bytes": (lambda c: c.classify(b""), errors.InvalidFrameError, "got 0 bytes"),
    "no image at all": (lambda c: c.classify(7), errors.InvalidFrameError, "got int"),  # type: ignore[arg-type]
    "boxes of three": (lambda c: c.classify(b"", [(1, 2, 3)]), errors.InvalidFrameError, "boxes must be (N, 4)"),
    "unknown model": (lambda c: c.model("x"), errors.ModelNotFoundError, "got 'x'"),
    "no such file": (lambda c: c.classify("/nowhere.jpg"), FileNotFoundError, "nowhere"),
    "no such video": (lambda c: list(c.stream("/nowhere.avi")), errors.ConfigError, "nowhere"),
    "no time": (lambda c: c.classify(builders.scene(), timeout_s=0), errors.FrameDeadlineError, "within 0 s"),
    "unknown model in a stream": (
        lambda c: list(c.stream([b""], ferserve.StreamOptions(ferserve.FrameOptions("x")))),
        errors.ModelNotFoundError,
        "got 'x'",
    ),
    "falling ids": (
        lambda c: list(c.stream([ferserve.Frame(i, ferserve.EncodedImage(b"")) for i in (2, 1)])),
        errors.StreamProtocolError,
        "frame_id must rise within a stream, got 1 after 2",
    ),
    "what the source raises": (lambda c: list(c.stream(_raising(KeyError("camera")))), KeyError, "camera"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_fails_raises_and_the_client_lives_on(client: LocalClient, name: str) -> None:
    call, error, words = FAILURES[name]
    with pytest.raises(error) as failure:
        call(client)
    assert words in str(failure.value)
    assert len(client.classify(builders.astronaut()).faces) == 1


def test_a_bad_frame_is_a_fault_and_the_stream_goes_on(client: LocalClient) -> None:
    good = builders.jpeg(builders.astronaut())
    results = list(client.stream([good, b"no picture", good]))
    assert [result.fault and result.fault.code for result in results] == [None, "invalid_frame", None]


def test_models_are_described_as_a_server_describes_them(client: LocalClient) -> None:
    default = client.model()
    assert (default.name, default.is_default) == ("brightness", True)
    assert default in client.models()
    assert client.model("brightness") == default


def test_a_closed_client_says_so_and_leaves_an_engine_of_others_open(engine: Engine) -> None:
    client = LocalClient(engine)
    running = client.stream(iter(lambda: builders.jpeg(builders.astronaut()), None))
    next(running)
    client.close()
    client.close()
    for call in (client.models, client.model, lambda: client.classify(b""), lambda: list(client.stream([b""]))):
        with pytest.raises(errors.FerserveError, match="client must be open, got one that was closed"):
            call()
    with pytest.raises(errors.FerserveError, match="client must be open, got closed with a call or a stream"):
        list(running)
    with LocalClient(engine) as other:
        assert len(other.classify(builders.astronaut()).faces) == 1


def test_its_own_engine_closes_with_the_client(engine: Engine) -> None:
    before = set(threading.enumerate())
    with LocalClient(engine.config) as client:
        own = set(threading.enumerate()) - before
        assert own
        assert client.target.startswith("this process: brightness")
    assert not own & set(threading.enumerate())


@pytest.mark.parametrize(
    ("settings", "words"), [({"max_in_flight": 0}, "max_in_flight must be"), ({"timeout_s": -1}, "timeout_s must be")]
)
def test_settings_out_of_range_are_refused(engine: Engine, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.InvalidOptionsError, match=words):
        LocalClient(engine, **settings)
