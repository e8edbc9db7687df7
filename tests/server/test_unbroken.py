"""An operation of gRPC goes on to its end if nobody waits for it any more."""

from __future__ import annotations

import asyncio

import pytest

from ferserve.server.unbroken import Unbroken


class _Operation:
    """Waits for each of its ``steps``, then gives an answer or raises, and notes that it could free what it held."""

    def __init__(self, steps: int, error: Exception | None = None) -> None:
        self.steps: list[asyncio.Future[int]] = [asyncio.get_running_loop().create_future() for _ in range(steps)]
        self.freed = asyncio.Event()
        self._error = error

    async def run(self) -> int:
        total = 0
        for step in self.steps:
            total += await step
        self.freed.set()
        if self._error is not None:
            raise self._error
        return total


def test_an_operation_gives_its_answer() -> None:
    async def answer() -> int:
        operation = _Operation(3)
        for number, step in enumerate(operation.steps):
            asyncio.get_running_loop().call_later(0.001 * number, step.set_result, number)
        return await Unbroken(operation.run())

    assert asyncio.run(answer()) == 3


def test_an_operation_raises_its_error() -> None:
    async def fail() -> int:
        operation = _Operation(1, ValueError("no"))
        operation.steps[0].set_result(1)
        return await Unbroken(operation.run())

    with pytest.raises(ValueError, match="no"):
        asyncio.run(fail())


@pytest.mark.parametrize("error", [None, ValueError("nobody hears this")])
@pytest.mark.parametrize("cancelled_at", [0, 1, 2])
def test_an_operation_ends_after_its_caller(cancelled_at: int, error: Exception | None) -> None:
    async def cancel() -> None:
        operation = _Operation(3, error)
        caller = asyncio.ensure_future(_wait(operation))
        for step in operation.steps[:cancelled_at]:
            step.set_result(1)
            for _ in range(5):
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert not operation.freed.is_set()
        for step in operation.steps[cancelled_at:]:
            assert not step.cancelled()
            step.set_result(1)
        await asyncio.wait_for(operation.freed.wait(), 10)

    asyncio.run(cancel())


async def _wait(operation: _Operation) -> int:
    return await Unbroken(operation.run())
