"""Daemon threads that open sources which may block, and pull frames from them."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

from ferserve.forks import ProcessGuard

LAST_FRAME_S = 1.0
"""How long the end of the program waits for the frame that is being read."""


def start_feed_thread(pull: Callable[[], None], stop: Callable[[], None] = lambda: None) -> None:
    """Run ``pull`` in a daemon thread, since a camera that hangs must not keep the program from ending.

    A daemon thread that returns from a video library's native code while the interpreter ends takes the process down
    (``FATAL: exception not rethrown``). So the end of the program first calls ``stop``, which makes ``pull`` return
    after the frame at hand, and then waits for that frame.
    """

    def work() -> None:
        try:
            pull()
        finally:
            atexit.unregister(end)

    thread = threading.Thread(target=work, name="ferserve-feed", daemon=True)

    process = ProcessGuard("thread")

    def end() -> None:
        if not process.was_left:
            stop()
            thread.join(LAST_FRAME_S)

    atexit.register(end)
    thread.start()
