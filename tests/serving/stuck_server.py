"""A server in a process of its own with a part that never ends, which a real one should not have.

Its first argument names the part: ``worker`` for a thread that works on a frame for ever, ``loop`` for an event loop
that waits for a lock from SIGUSR1 on, ``beside`` for a server that does not stop. The second is the grace in seconds.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading

import numpy as np

from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.server.exit_deadline import MARGIN_S, leaving_on_time
from ferserve.server.run import serve
from ferserve.types import Frame, PixelFormat, RawImage


class _Unstoppable:
    async def start(self) -> str:
        return ""

    async def stop(self, grace_s: float | None = None) -> None:
        await asyncio.Event().wait()


def _wait_for_ever(*_: object) -> None:
    threading.Event().wait()


def _main(part: str, grace_s: float) -> None:
    with leaving_on_time(grace_s + MARGIN_S) as deadline, Engine(EngineConfig(detector="none", threads=1)) as engine:
        if part == "worker":
            picture = RawImage(PixelFormat.GRAY8, 8, 8, bytes(64))
            engine.open_stream().send(Frame(0, picture, boxes=np.zeros((0, 4), np.float32)), _wait_for_ever)
        beside = [_Unstoppable()] if part == "beside" else []

        async def main() -> None:
            if part == "loop":
                asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _wait_for_ever)
            await serve(engine, ServerConfig(port=0, grace_s=grace_s), beside, deadline)

        asyncio.run(main())


if __name__ == "__main__":
    _main(sys.argv[1], float(sys.argv[2]))
