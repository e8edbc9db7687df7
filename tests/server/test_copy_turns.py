"""Large messages that have come are copied by turns, for nobody else is served meanwhile."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from ferserve.auth.identity import Identity
from ferserve.config import ServerConfig
from ferserve.server.copy_turns import CopyTurns
from ferserve.server.receiving import Receiver

SOMEBODY = Identity("somebody", "use")
MIB = 1 << 20


async def test_large_messages_are_copied_one_per_pass_of_the_loop_by_turns_among_clients() -> None:
    copies, order = CopyTurns(), list[str]()

    async def copy(name: str) -> None:
        if (turn := copies.turn(name)) is not None:
            await turn
        order.append(name)
        copies.rest(0)

    async def count_passes() -> None:
        while True:
            order.append("pass")
            await asyncio.sleep(0)

    copying = [asyncio.ensure_future(copy(name)) for name in "aaaabb"]
    counting = asyncio.ensure_future(count_passes())
    copying[2].cancel()
    await asyncio.wait_for(asyncio.gather(*copying, return_exceptions=True), 30)
    counting.cancel()
    assert [name for name in order if name != "pass"] == list("aabab")
    assert all("pass" in pair for pair in itertools.pairwise(order))


class _Ready:
    """gRPC's context of a call whose ``message`` has come, and is copied when it is read."""

    def __init__(self, host: int, message: bytes, copied: list[int]) -> None:
        self._host, self._message, self._copied = host, message, copied
        self.write = None

    def peer(self) -> str:
        return f"ipv4:10.0.0.{self._host}:4000"

    def peer_identities(self) -> None:
        return None

    async def read(self) -> bytes:
        arrival = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(arrival.set_result, None)
        await arrival
        self._copied.append(self._host)
        return self._message


async def test_large_messages_rest_while_a_camera_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends them: nobody knows before the copy how large they are. A client alone need not rest."""
    rests: list[float] = []

    def rest(self: CopyTurns, seconds: float) -> None:
        rests.append(seconds)
        rest_for(self, 0.0)

    rest_for = CopyTurns.rest
    monkeypatch.setattr(CopyTurns, "rest", rest)
    receiver, copied = Receiver(ServerConfig(max_message_bytes=64 * MIB)), list[int]()

    async def read(host: int, size: int) -> None:
        assert await receiver.context(_Ready(host, bytes(size), copied), len, SOMEBODY).read() == size

    await read(2, 32 * MIB)
    await read(1, 1000)
    await asyncio.gather(read(2, 32 * MIB), read(3, 2 * MIB), read(1, 1000))
    assert copied == [2, 1, 2, 1, 3]
    assert [seconds for seconds in rests if seconds] == [32 * MIB * 5e-9]
