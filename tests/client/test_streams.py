"""Streams of both clients: their sources, their results, and leaving them early."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import ferserve
from ferserve.sources.source import open_source
from ferserve.types import DropReason
from tests import builders
from tests.busy import held_workers


@pytest.fixture
async def async_client(address: str) -> AsyncIterator[ferserve.AsyncClient]:
    async with ferserve.AsyncClient(address) as client:
        yield client


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


@pytest.mark.parametrize(
    "options",
    [
        ferserve.StreamOptions(),
        ferserve.StreamOptions(smoothing_ms=0),
        ferserve.StreamOptions(ferserve.FrameOptions(max_faces=1)),
        ferserve.StreamOptions(priority=ferserve.Priority.LOW, stream_id="mine"),
    ],
)
def test_options_leave_a_recording_a_recording(
    client: ferserve.Client, tmp_path: Path, options: ferserve.StreamOptions
) -> None:
    results = list(client.stream(builders.video_file(tmp_path / "clip.avi", frames=40), options))
    assert [r.dropped for r in results] == [None] * 40


def test_a_recording_may_be_streamed_as_if_it_were_live(
    client: ferserve.Client, engine: ferserve.Engine, tmp_path: Path
) -> None:
    options = ferserve.StreamOptions(delivery=ferserve.Delivery.LATEST)
    with held_workers(engine) as gate:  # however fast the machine is, frames wait here for newer ones
        stream = client.stream(builders.video_file(tmp_path / "clip.avi", frames=60), options)
        threading.Timer(0.5, gate.set).start()
        results = list(stream)
    assert {r.dropped for r in results} == {DropReason.SUPERSEDED, None}


def test_what_is_no_picture_is_a_fault_between_the_others(client: ferserve.Client) -> None:
    bgr = builders.astronaut()
    items = [None, bgr, None, np.zeros(3), builders.jpeg(bgr), b"junk", "/nowhere.jpg", bgr / 255, None]
    results = list(client.stream(items, fps=30))  # type: ignore[arg-type]
    assert [r.frame_id for r in results] == list(range(1, 10))
    assert [len(r.faces) for r in results] == [0, 1, 0, 0, 1, 0, 0, 1, 0]
    codes = [r.fault.code if r.fault else "" for r in results]
    bad = "invalid_frame"
    assert codes == [bad, "", bad, bad, "", bad, "unreadable", "", bad]


def test_a_file_and_its_frames_with_their_times_get_the_same_answers(
    client: ferserve.Client, engine_config: ferserve.EngineConfig, tmp_path: Path
) -> None:
    path = builders.video_file(tmp_path / "clip.avi", frames=40)
    frames = [frame for frame in open_source(path).frames if isinstance(frame, ferserve.Frame)]
    pictures = [frame.payload.data for frame in frames if isinstance(frame.payload, ferserve.RawImage)]
    with ferserve.LocalClient(engine_config) as local:
        answers = [
            client.stream(path),
            client.stream(pictures, fps=30),
            client.stream((i / 30, picture) for i, picture in enumerate(pictures)),
            local.stream(path),
            local.stream((picture[:, :, ::-1] for picture in pictures), fps=30, color="rgb"),
        ]
        told = [[repr(result.faces) for result in results] for results in answers]
    assert len(told[0]) == 40
    assert all(other == told[0] for other in told[1:])


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


def test_an_error_of_the_source_is_raised_after_the_results_that_are_due(client: ferserve.Client) -> None:
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


def test_a_blocking_client_takes_an_asynchronous_source(client: ferserve.Client) -> None:
    image = builders.jpeg(builders.astronaut())

    async def camera() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield image

    ids = []
    for result in client.stream(camera()):
        ids.append(result.frame_id)
        time.sleep(0.02)  # the client's loop falls asleep: taking a result must wake it
    assert ids == list(range(1, 21))


async def test_an_asynchronous_source_is_closed_with_its_stream(async_client: ferserve.AsyncClient) -> None:
    closed = []

    async def camera(name: str) -> AsyncIterator[bytes]:
        try:
            while True:
                yield builders.jpeg(builders.astronaut())
        finally:
            await asyncio.sleep(0)  # a source may wait for something while it closes
            closed.append(name)

    class Camera:
        def __aiter__(self) -> AsyncIterator[bytes]:
            return camera("iterable")

    ours = camera("generator")  # that somebody else still holds it makes no difference
    for source in (ours, Camera()):
        stream = async_client.stream(source)
        await anext(stream)
        await stream.aclose()
    assert closed == ["generator", "iterable"]


async def test_a_cancellation_within_the_source_ends_the_stream(async_client: ferserve.AsyncClient) -> None:
    async def camera() -> AsyncIterator[bytes]:
        yield builders.jpeg(builders.astronaut())
        lost = asyncio.ensure_future(asyncio.Event().wait())
        lost.cancel()
        await lost

    stream = async_client.stream(camera())
    assert (await anext(stream)).frame_id == 1
    with pytest.raises(asyncio.CancelledError):
        await anext(stream)
    assert len((await async_client.classify(builders.astronaut())).faces) == 1


def test_a_source_may_leave_the_program(client: ferserve.Client) -> None:
    def blocking() -> Iterator[bytes]:
        yield builders.jpeg(builders.astronaut())
        raise SystemExit(3)

    async def asynchronous() -> AsyncIterator[bytes]:
        yield builders.jpeg(builders.astronaut())
        raise SystemExit(3)

    class AtOnce:
        def __iter__(self) -> Iterator[bytes]:
            raise SystemExit(3)

    for source in (blocking(), asynchronous(), AtOnce()):
        with pytest.raises(SystemExit):
            list(client.stream(source))
    assert len(client.classify(builders.astronaut()).faces) == 1


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
