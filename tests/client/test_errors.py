"""Failed calls raise our own errors, and the client lives on."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferserve
from ferserve import errors
from tests import builders
from tests.serving.fixtures import StartServer

FAILURES: dict[str, tuple[Callable[[ferserve.Client], Any], type[Exception], str]] = {
    "empty bytes": (lambda c: c.classify(b""), errors.InvalidFrameError, "got 0 bytes"),
    "floats": (lambda c: c.classify(np.full((8, 8, 3), 9.0)), errors.InvalidFrameError, "must be in [0, 1]"),
    "five channels": (lambda c: c.classify(np.zeros((8, 8, 5), np.uint8)), errors.InvalidFrameError, "(8, 8, 5)"),
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
    "more than a message holds": (
        lambda c: c.classify(bytes(2**31)),
        errors.InvalidFrameError,
        "frame must have at most 2146435072 bytes, got 2147483648",
    ),
    "more than a message of a stream holds": (
        lambda c: list(c.stream([ferserve.Crops((ferserve.EncodedImage(bytes(2**30)),) * 2)])),
        errors.InvalidFrameError,
        "frame must have at most 2146435072 bytes, got 2147483648",
    ),
    "no time": (
        lambda c: c.classify(builders.scene(width=3840, height=2160), timeout_s=1e-3),
        errors.FrameDeadlineError,
        "within 0.001",
    ),
    "unknown model in a stream": (
        lambda c: list(c.stream([b""], ferserve.StreamOptions(ferserve.FrameOptions("x")))),
        errors.ModelNotFoundError,
        "got 'x'",
    ),
    "an id that no message holds": (
        lambda c: list(c.stream([ferserve.Frame(-1, ferserve.EncodedImage(b""))])),
        errors.InvalidFrameError,
        "frame_id must be from 0",
    ),
    "falling ids": (
        lambda c: list(c.stream([ferserve.Frame(i, ferserve.EncodedImage(b"")) for i in (2, 1)])),
        errors.StreamProtocolError,
        "frame_id must rise within a stream, got 1 after 2",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_call_raises_our_own_error(client: ferserve.Client, name: str) -> None:
    call, error, words = FAILURES[name]
    with pytest.raises(error) as failure:
        call(client)
    assert type(failure.value) is error
    assert words in str(failure.value)
    assert failure.value.__suppress_context__ or failure.value.__context__ is None, "gRPC's own error shows"
    assert len(client.classify(builders.astronaut()).faces) == 1


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with ferserve.Client(f"127.0.0.1:{unused.getsockname()[1]}", timeout_s=3) as client:
            with pytest.raises(errors.ServerUnavailableError, match="start one with `ferserve serve`"):
                client.classify(b"")
            with pytest.raises(errors.ServerUnavailableError, match="start one with `ferserve serve`"):
                list(client.stream([b""]))


TARGETS = ["", "localhost", "localhost:", ":50051", "http://localhost", "http://localhost:1", "localhost:99999", "h:0"]


@pytest.mark.parametrize("target", [*TARGETS, "h:" + "9" * 5000, "dns:///h", "unix:", "localhost:1/path"])
def test_an_invalid_address_is_refused_and_leaves_no_thread(target: str) -> None:
    before = threading.active_count()
    with pytest.raises(errors.ConfigError, match="target must be HOST:PORT or unix:PATH, got"):
        ferserve.Client(target)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_in_flight": 0}, "max_in_flight must be from 1 to 65536 frames, got 0"),
        ({"jpeg_quality": 101}, "jpeg_quality must be from 1 to 100, got 101"),
        ({"reconnect_s": -1}, "reconnect_s must be from 0"),
        ({"encoding": "png"}, "encoding must be auto, raw or jpeg, got 'png'"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.InvalidOptionsError, match=words):
        ferserve.Client(**settings)


def test_a_closed_client_says_so(served: str) -> None:
    client = ferserve.Client(served)
    client.close()
    for call in (client.models, lambda: client.classify(b""), lambda: list(client.stream([b""]))):
        with pytest.raises(errors.FerserveError, match="client must be open, got one that was closed"):
            call()


def test_a_choice_must_be_one_of_its_kind() -> None:
    with pytest.raises(errors.InvalidOptionsError, match=r"delivery must be one of Delivery.LATEST.*, got 'latest'"):
        ferserve.StreamOptions(delivery="latest")  # type: ignore[arg-type]


async def test_too_many_streams_is_overloaded(start_server: StartServer) -> None:
    async with ferserve.AsyncClient(await start_server(max_streams_per_client=1)) as client:
        first = client.stream(itertools.repeat(builders.jpeg(builders.astronaut())))
        await anext(first)
        with pytest.raises(errors.OverloadedError, match="open streams per client must be at most 1"):
            await anext(client.stream(builders.jpeg_clip(1)))
        await first.aclose()
