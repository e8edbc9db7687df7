"""Clients that are closed with calls under way, or never closed."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ferserve
from ferserve.errors import FerserveError
from ferserve.v1 import emotion_pb2_grpc
from tests import builders
from tests.serving.scripted import scripted_server


class _Mute(emotion_pb2_grpc.EmotionServiceServicer):
    """Never answers."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def Classify(self, request: Any, context: Any) -> None:
        self.asked.set()
        await asyncio.Event().wait()


class _Held:
    """A source of one frame that then blocks until it is released."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.asked_again = threading.Event()

    def frames(self) -> Iterator[bytes]:
        yield builders.jpeg(builders.astronaut())
        self.asked_again.set()
        self.let_go.wait(60)


@pytest.fixture
def held() -> Iterator[_Held]:
    held = _Held()
    yield held
    held.let_go.set()


def _outcome(call: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    """A thread that runs ``call``, and the exception that it raised."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, raised


def _says_closed(thread: threading.Thread, raised: list[BaseException], words: str = "got closed with") -> None:
    thread.join(30)
    assert not thread.is_alive()
    assert [type(error) for error in raised] == [FerserveError]
    assert words in str(raised[0])


def test_a_blocking_stream_hears_that_its_client_was_closed(served: str, held: _Held) -> None:
    client = ferserve.Client(served)
    thread, raised = _outcome(lambda: list(client.stream(held.frames())))
    assert held.asked_again.wait(30)
    client.close()
    _says_closed(thread, raised)


def test_calls_that_begin_while_the_client_is_closed_end_too(served: str) -> None:
    def ask_for_ever(client: ferserve.Client, begun: threading.Event) -> None:
        while True:
            client.models()
            begun.set()

    for _ in range(5):
        client, begun = ferserve.Client(served), threading.Event()
        outcomes = [_outcome(lambda client=client, begun=begun: ask_for_ever(client, begun)) for _ in range(3)]
        assert begun.wait(30)
        client.close()
        for thread, raised in outcomes:
            _says_closed(thread, raised, "client must be open, got")


async def test_an_asynchronous_call_hears_that_its_client_was_closed() -> None:
    server = _Mute()
    async with scripted_server(server) as address:
        client = ferserve.AsyncClient(address)
        call = asyncio.ensure_future(client.classify(b"x"))
        await server.asked.wait()
        await client.close()
        with pytest.raises(FerserveError, match="client must be open, got closed with a call or a stream under way"):
            await call
        with pytest.raises(FerserveError, match="client must be open, got one that was closed"):
            await client.classify(b"x")


async def test_a_call_that_is_cancelled_twice_does_not_hold_its_client() -> None:
    server = _Mute()
    async with scripted_server(server) as address:
        client = ferserve.AsyncClient(address)
        call = asyncio.ensure_future(client.classify(b"x"))
        await server.asked.wait()
        call.cancel()
        await asyncio.sleep(0)  # the first one is on its way
        call.cancel()
        await asyncio.wait((call,))
        await asyncio.wait_for(client.close(), 30)


async def test_a_cancelled_call_stays_cancelled() -> None:
    server = _Mute()
    async with scripted_server(server) as address, ferserve.AsyncClient(address) as client:
        call = asyncio.ensure_future(client.classify(b"x"))
        await server.asked.wait()
        call.cancel()
        await asyncio.wait((call,))
        assert call.cancelled()


async def test_an_asynchronous_stream_hears_that_its_client_was_closed(address: str) -> None:
    async def frames() -> AsyncIterator[bytes]:
        yield builders.jpeg(builders.astronaut())
        await asyncio.Event().wait()

    client = ferserve.AsyncClient(address)
    stream = client.stream(frames())
    assert (await anext(stream)).frame_id == 1
    await client.close()
    with pytest.raises(FerserveError, match="client must be open, got closed with a call or a stream under way"):
        await anext(stream)
    with pytest.raises(FerserveError, match="client must be open, got one that was closed"):
        await anext(client.stream(frames()))


def test_a_source_that_hangs_while_it_is_opened_does_not_hold_its_client(served: str, tmp_path: Path) -> None:
    pipe = tmp_path / "camera"
    os.mkfifo(pipe)
    client = ferserve.Client(served)
    thread, raised = _outcome(lambda: list(client.stream(pipe)))
    writer = _open_for_writing(pipe)
    try:
        closing, failed = _outcome(client.close)
        closing.join(30)
        assert not closing.is_alive(), "close() waits for a pipe without a writer"
        assert not failed
        _says_closed(thread, raised)
    finally:
        pipe.unlink()  # so that no test waits for it again
        os.close(writer)


def _open_for_writing(pipe: Path) -> int:
    """As soon as somebody opens it for reading."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # ENXIO
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def test_a_client_may_be_collected_in_its_own_thread(served: str) -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    threads: list[threading.Thread] = []

    async def frames() -> AsyncIterator[bytes]:
        loops.append(asyncio.get_running_loop())
        threads.append(threading.current_thread())
        yield builders.jpeg(builders.astronaut())

    clients = [ferserve.Client(served)]
    assert len(list(clients[0].stream(frames()))) == 1
    gc.collect()
    loops[0].call_soon_threadsafe(clients.clear)
    threads[0].join(30)
    assert not threads[0].is_alive()


def test_a_stream_may_be_collected_in_its_clients_own_thread(served: str) -> None:
    """Its client goes on."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def frames() -> AsyncIterator[bytes]:
        loops.append(asyncio.get_running_loop())
        while True:
            yield builders.jpeg(builders.astronaut())

    with ferserve.Client(served) as client:
        streams = [client.stream(frames())]
        assert next(streams[0]).frame_id == 1
        loops[0].call_soon_threadsafe(streams.clear)
        asking, raised = _outcome(lambda: client.models(timeout_s=20))
        asking.join(30)
        assert not asking.is_alive()
        assert not raised
