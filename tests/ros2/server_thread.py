"""A real server in a thread, which can be stopped and started again at the same address."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.server import Server


class ServerThread:
    """A server with an event loop of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._server = engine, None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.address = ""

    def start(self) -> None:
        """Serve, at the address of before if there was one."""
        port = int(self.address.rpartition(":")[2] or 0)
        self._server = Server(self._engine, ServerConfig(port=port))
        self.address = self._run(self._server.start())

    def stop(self) -> None:
        """End all streams at once."""
        if self._server is not None:
            self._run(self._server.stop(0))
            self._server = None

    def close(self) -> None:
        """Stop, and end the thread."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
