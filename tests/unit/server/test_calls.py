"""The calls that a service waits for when it stops."""

from __future__ import annotations

import asyncio
import time

from ferserve.server.calls import ActiveCalls


async def test_calls_count_until_their_task_ends() -> None:
    calls, finish = ActiveCalls(), asyncio.Event()

    async def handler() -> None:
        calls.track()
        await finish.wait()

    tasks = [asyncio.ensure_future(handler()) for _ in range(3)]
    await asyncio.sleep(0)
    assert len(calls) == 3
    finish.set()
    await asyncio.gather(*tasks)
    assert len(calls) == 0


async def test_a_drain_asks_streams_to_end_and_waits_for_them() -> None:
    calls, ended = ActiveCalls(), []

    async def stream(number: int) -> None:
        told = asyncio.Event()
        calls.track(told.set)
        await told.wait()
        await asyncio.sleep(0.05)
        ended.append(number)

    streams = [asyncio.ensure_future(stream(number)) for number in range(3)]
    await asyncio.sleep(0)
    await calls.drain(20)
    assert ended == [0, 1, 2]
    assert all(task.done() for task in streams)


async def test_a_stream_that_comes_while_others_are_drained_is_asked_and_waited_for_too() -> None:
    calls = ActiveCalls()
    streams: list[asyncio.Task[None]] = []

    async def stream(followed: bool) -> None:
        told = asyncio.Event()
        calls.track(told.set)
        await told.wait()
        if followed:
            streams.append(asyncio.ensure_future(stream(followed=False)))
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)

    streams.append(asyncio.ensure_future(stream(followed=True)))
    await asyncio.sleep(0)
    await calls.drain(20)
    assert [task.done() for task in streams] == [True, True]


async def test_a_drain_ends_at_its_deadline() -> None:
    calls = ActiveCalls()

    async def stuck() -> None:
        calls.track()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(stuck())
    await asyncio.sleep(0)
    for grace_s in (0.0, 0.1):
        started = time.monotonic()
        await asyncio.wait_for(calls.drain(grace_s), 10)
        assert time.monotonic() - started >= grace_s
    assert len(calls) == 1
    task.cancel()
