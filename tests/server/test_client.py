"""Both clients against a real server."""

from __future__ import annotations

import asyncio
import itertools
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import pytest

import ferserve
from ferserve import errors
from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.server import Server
from tests import builders
from tests.server.conftest import StartServer

T = TypeVar("T")


@pytest.fixture(scope="module")
def served(engine: Engine) -> Iterator[str]:
    """The address of a server that runs in a thread, for blocking clients."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(awaitable: Awaitable[T]) -> T:
        async def wait() -> T:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), loop).result()

    server = Server(engine, ServerConfig(port=0, max_message_bytes=3_000_000))
    yield run(server.start())
    run(server.stop(0))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def client(served: str) -> Iterator[ferserve.Client]:
    with ferserve.Client(served) as client:
        yield client


@pytest.fixture
async def async_client(address: str) -> AsyncIterator[ferserve.AsyncClient]:
    async with ferserve.AsyncClient(address) as client:
        yield client


def _images(tmp_path: Path) -> dict[str, Any]:
    bgr = builders.astronaut()
    data = builders.jpeg(bgr)
    path = tmp_path / "astronaut.jpg"
    path.write_bytes(data)
    luma = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    return {
        "bgr array": bgr,
        "luma array": luma,
        "a part of a larger array": np.pad(bgr, ((8, 8), (8, 8), (0, 0)))[8:-8, 8:-8],
        "bytes": data,
        "bytearray": bytearray(data),
        "path": path,
        "name of a file": str(path),
        "encoded": ferserve.EncodedImage(data),
        "raw": ferserve.RawImage(ferserve.PixelFormat.RGB24, 512, 512, bgr[:, :, ::-1].tobytes()),
    }


@pytest.mark.parametrize("encoding", ["auto", "raw", "jpeg"])
def test_every_kind_of_image_shows_the_same_face(served: str, tmp_path: Path, encoding: Any) -> None:
    with ferserve.Client(served, encoding=encoding) as client:
        for name, image in _images(tmp_path).items():
            (face,) = client.classify(image).faces
            x0, y0, x1, y1 = builders.ASTRONAUT_FACE
            assert x0 < (face.box[0] + face.box[2]) / 2 < x1, name
            assert y0 < (face.box[1] + face.box[3]) / 2 < y1, name
            assert set(face.probabilities) == {"dark", "bright"}, name


def test_crops_and_boxes(client: ferserve.Client) -> None:
    shades = [ferserve.EncodedImage(builders.jpeg(np.full((32, 32, 3), shade, np.uint8))) for shade in (10, 240)]
    result = client.classify(ferserve.Crops(tuple(shades)))
    assert [face.emotion for face in result.faces] == ["dark", "bright"]
    boxes = [(0, 0, 100, 100), (50, 50, 200, 200), (300, 300, 512, 512)]
    result = client.classify(builders.astronaut(), boxes)
    assert [face.box for face in result.faces] == boxes
    assert client.classify(builders.astronaut(), []).faces == ()


def test_models_are_described(client: ferserve.Client) -> None:
    described = {model.name: model for model in client.models()}
    assert described["brightness"] == client.model()
    assert client.model().is_default
    assert client.model("other").heads == {"emotion": ("dark", "bright")}


def test_options_reach_the_engine(client: ferserve.Client) -> None:
    bgr = builders.astronaut()
    assert client.classify(bgr, options=ferserve.FrameOptions(min_score=1.0)).faces == ()
    assert client.classify(bgr, options=ferserve.FrameOptions(model="other")).model_name == "other"


FAILURES: dict[str, tuple[Callable[[ferserve.Client], Any], type[Exception], str]] = {
    "empty bytes": (lambda c: c.classify(b""), errors.InvalidFrameError, "got 0 bytes"),
    "floats": (lambda c: c.classify(np.zeros((8, 8))), errors.InvalidFrameError, "must be a uint8 array"),
    "four channels": (lambda c: c.classify(np.zeros((8, 8, 4), np.uint8)), errors.InvalidFrameError, "(8, 8, 4)"),
    "no image at all": (lambda c: c.classify(7), errors.InvalidFrameError, "got int"),
    "boxes of three": (lambda c: c.classify(b"", [(1, 2, 3)]), errors.InvalidFrameError, "boxes must be (N, 4)"),
    "boxes of words": (lambda c: c.classify(b"", "abc"), errors.InvalidFrameError, "boxes must be numbers"),
    "unknown model": (lambda c: c.model("x"), errors.ModelNotFoundError, "got 'x'"),
    "no such file": (lambda c: c.classify("/nowhere.jpg"), FileNotFoundError, "nowhere"),
    "no such video": (lambda c: list(c.stream("/nowhere.avi")), errors.ConfigError, "nowhere"),
    "too large": (
        lambda c: c.classify(np.zeros((2000, 2000), np.uint8)),
        errors.InvalidFrameError,
        "must be smaller than the server's max_message_bytes",
    ),
    "too large in a stream": (
        lambda c: list(c.stream([np.zeros((2000, 2000), np.uint8)])),
        errors.InvalidFrameError,
        "must be smaller than the server's max_message_bytes",
    ),
    "no time": (
        lambda c: c.classify(builders.scene(width=3840, height=2160), timeout_s=1e-3),
        errors.FrameDeadlineError,
        "within 0.001",
    ),
    "bad array in a stream": (lambda c: list(c.stream([np.zeros(3)])), errors.InvalidFrameError, "must be a uint8"),
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
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_fails_raises_our_own_errors(client: ferserve.Client, name: str) -> None:
    call, error, words = FAILURES[name]
    with pytest.raises(error) as failure:
        call(client)
    assert type(failure.value) is error
    assert words in str(failure.value)
    assert failure.value.__suppress_context__ or failure.value.__context__ is None, "gRPC's own error shows"
    assert len(client.classify(builders.astronaut()).faces) == 1


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with ferserve.Client(f"127.0.0.1:{unused.getsockname()[1]}", timeout_s=3) as client:
            with pytest.raises(errors.ServerUnavailableError, match="start one with `ferserve serve`"):
                client.classify(b"")
            with pytest.raises(errors.ServerUnavailableError, match="start one with `ferserve serve`"):
                list(client.stream([b""]))


@pytest.mark.parametrize("target", ["", "localhost", "localhost:", "http://localhost"])
def test_what_is_no_address_is_refused_and_leaves_no_thread(target: str) -> None:
    before = threading.active_count()
    with pytest.raises(errors.ConfigError, match="target must be HOST:PORT or unix:PATH, got"):
        ferserve.Client(target)
    assert threading.active_count() == before


async def test_too_many_streams_is_overloaded(start_server: StartServer) -> None:
    async with ferserve.AsyncClient(await start_server(max_streams_per_client=1)) as client:
        first = client.stream(itertools.repeat(builders.jpeg(builders.astronaut())))
        await anext(first)
        with pytest.raises(errors.OverloadedError, match="at most 1 a client"):
            await anext(client.stream(builders.jpeg_clip(1)))
        await first.aclose()


def test_a_stream_of_mixed_images(client: ferserve.Client) -> None:
    bgr = builders.astronaut()
    results = list(client.stream([bgr, builders.jpeg(bgr), b"damaged", cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)]))
    assert [r.frame_id for r in results] == [1, 2, 3, 4]
    assert [r.ok for r in results] == [True, True, False, True]
    assert results[2].fault is not None
    assert results[2].fault.code == "invalid_frame"
    assert len({face.track_id for r in results if r.ok for face in r.faces}) == 1


def test_a_video_file(client: ferserve.Client, tmp_path: Path) -> None:
    results = list(client.stream(builders.video_file(tmp_path / "clip.avi", frames=20)))
    assert [r.frame_id for r in results] == list(range(1, 21))
    assert all(r.ok for r in results), "every frame of a recording counts"
    steps = np.diff([r.capture_time_ns for r in results]) / 1e6
    assert steps == pytest.approx(1000 / 30, abs=2), "frames carry the recording's own clock"


def test_frames_keep_their_ids_and_times(client: ferserve.Client) -> None:
    image = ferserve.EncodedImage(builders.jpeg(builders.astronaut()))
    frames = [ferserve.Frame(i, image, capture_time_ns=i * 10**9) for i in (3, 8, 21)]
    results = list(client.stream(frames))
    assert [(r.frame_id, r.capture_time_ns) for r in results] == [(i, i * 10**9) for i in (3, 8, 21)]


def test_an_endless_source_may_be_left_at_any_time(client: ferserve.Client) -> None:
    closed = threading.Event()

    def endless() -> Iterator[np.ndarray]:
        try:
            while True:
                yield builders.astronaut()
        finally:
            closed.set()

    for result in client.stream(endless()):
        if result.frame_id == 5:
            break
    assert closed.wait(5), "the source must be closed with its stream"
    assert len(client.classify(builders.astronaut()).faces) == 1


def test_a_source_is_pulled_no_faster_than_results_are_taken(served: str) -> None:
    pulled = 0

    def counted() -> Iterator[bytes]:
        nonlocal pulled
        for image in builders.jpeg_clip(30):
            pulled += 1
            yield image

    with ferserve.Client(served, max_in_flight=3) as client:
        for taken, _ in enumerate(client.stream(counted()), 1):
            assert pulled <= taken + 3
    assert pulled == 30


def test_what_the_source_raises_is_raised_after_the_results_that_are_due(client: ferserve.Client) -> None:
    def broken() -> Iterator[bytes]:
        yield from builders.jpeg_clip(2)
        raise ZeroDivisionError("the camera fell down")

    seen = []
    with pytest.raises(ZeroDivisionError, match="fell down"):
        seen.extend(r.frame_id for r in client.stream(broken()))
    assert len(client.classify(builders.astronaut()).faces) == 1


def test_no_frames_no_results(client: ferserve.Client) -> None:
    assert list(client.stream([])) == []


def test_one_client_may_hold_several_streams_and_threads(client: ferserve.Client) -> None:
    clip = builders.jpeg_clip(8)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(len(list(client.stream(clip))))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert len(client.classify(clip[0]).faces) == 1
    for thread in threads:
        thread.join()
    assert counts == [8, 8, 8]


async def test_an_asynchronous_source(async_client: ferserve.AsyncClient) -> None:
    async def camera() -> AsyncIterator[bytes]:
        for image in builders.jpeg_clip(6):
            await asyncio.sleep(0.01)
            yield image

    results = [result async for result in async_client.stream(camera())]
    assert [r.frame_id for r in results] == [1, 2, 3, 4, 5, 6]
    assert all(len(r.faces) == 1 for r in results)


async def test_an_asynchronous_stream_may_be_left_and_a_slow_source_blocks_nothing(
    async_client: ferserve.AsyncClient,
) -> None:
    release = threading.Event()

    def slow() -> Iterator[bytes]:
        yield builders.jpeg(builders.astronaut())
        release.wait(30)

    stream = async_client.stream(slow())
    assert (await anext(stream)).frame_id == 1
    assert len((await async_client.classify(builders.astronaut())).faces) == 1
    await stream.aclose()
    release.set()


async def test_a_closed_stream_can_be_followed_by_another(async_client: ferserve.AsyncClient) -> None:
    for _ in range(5):
        stream = async_client.stream(builders.jpeg_clip(5))
        await anext(stream)
        await stream.aclose()
    assert len([r async for r in async_client.stream(builders.jpeg_clip(5))]) == 5


def test_a_client_that_nobody_closed_leaves_quietly(served: str) -> None:
    code = (
        "import ferserve, sys, numpy as np\n"
        f"client = ferserve.Client({served!r})\n"
        "stream = client.stream(np.zeros((64, 64), np.uint8) for _ in range(100))\n"
        "print(next(stream).frame_id, len(client.models()))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 ")
