"""A server in a thread, on an engine of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.server import Server


@contextlib.contextmanager
def running_server(engine: Engine, **settings: Any) -> Iterator[str]:
    """The address of a server that runs until the context exits."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = Server(engine, ServerConfig(port=0, **settings))
    try:
        yield asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
