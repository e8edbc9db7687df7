"""Rates of calls and bytes per client."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ferserve import AsyncClient, errors
from ferserve.server.rate_limit import RateLimit
from tests import builders
from tests.serving.fixtures import StartServer
from tests.serving.tokens import TokenFile

FRAME = builders.jpeg(builders.astronaut())


def test_a_second_fills_the_bucket_and_what_was_taken_ahead_is_waited_for() -> None:
    now = 100.0
    limit = RateLimit(10, lambda: now)
    for _ in range(10):
        assert limit.wait_s("a") == 0
        limit.take("a", 1)
    assert limit.wait_s("a") == pytest.approx(0.1)
    assert limit.wait_s("b") == 0
    now += 0.1
    assert limit.wait_s("a") == pytest.approx(0, abs=1e-9)
    limit.take("a", 25)  # one message more than may be
    assert limit.wait_s("a") == pytest.approx(2.5)
    now += 60
    assert limit.wait_s("a") == 0
    for _ in range(10):
        limit.take("a", 1)
    assert limit.wait_s("a") == pytest.approx(0.1)  # rest of a minute counts as that of a second


def test_less_than_one_per_second_lets_one_in() -> None:
    now = 0.0
    limit = RateLimit(0.25, lambda: now)
    assert limit.wait_s("a") == 0
    limit.take("a", 1)
    assert limit.wait_s("a") == pytest.approx(4)
    now += 4
    assert limit.wait_s("a") == 0


def test_clients_that_owe_nothing_are_forgotten() -> None:
    now = 0.0
    limit = RateLimit(1, lambda: now)
    for number in range(30_000):
        now += 2
        limit.take(str(number), 1)
    assert len(limit._full_at) <= 10_000


async def test_calls_beyond_the_rate_are_refused_and_other_clients_are_not(
    start_server: StartServer, tmp_path: Path
) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    first, second = tokens.add("first"), tokens.add("second")
    address = await start_server(token_file=tokens.path, max_calls_per_s_per_client=1e-6)
    async with AsyncClient(address, token=first) as greedy, AsyncClient(address, token=second) as other:
        assert await greedy.models()
        with pytest.raises(errors.OverloadedError, match="got one more from token first; send them more slowly"):
            await greedy.models()
        assert await other.models()


async def test_bytes_beyond_the_rate_wait_and_other_clients_do_not(start_server: StartServer, tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    first, second = tokens.add("first"), tokens.add("second")
    address = await start_server(token_file=tokens.path, max_bytes_per_s_per_client=1.0)
    async with AsyncClient(address, token=first) as greedy, AsyncClient(address, token=second) as other:
        stream = greedy.stream([FRAME] * 2)
        held = asyncio.ensure_future(anext(stream))  # the config is read, and owed for longer than the test lasts
        await other.models()
        assert not held.done()
        held.cancel()
        await asyncio.wait((held,))
    unbound = await start_server(token_file=tokens.path, max_bytes_per_s_per_client=1e9)
    async with AsyncClient(unbound, token=first) as client:
        assert [result.frame_id async for result in client.stream([FRAME] * 3)] == [1, 2, 3]
