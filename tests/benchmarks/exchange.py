"""One message there, one answer back, over the bench's own client."""

from __future__ import annotations

from collections.abc import Callable

from ferserve.bench.call import Call
from ferserve.bench.poller import Poller


def exchange_with(call: Call, poller: Poller, answers: list[bytes]) -> Callable[..., bytes]:
    """A function that sends a message in pieces and waits for the answer."""

    def exchange(*pieces: bytes) -> bytes:
        answers.clear()
        call.send(*pieces)
        poller.watch_writes(call)
        while not answers:
            assert not call.ended
            poller.wait(1)
        return answers[0]

    return exchange
