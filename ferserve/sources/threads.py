"""The threads that open sources which may block, and pull frames from them."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

LAST_FRAME_S = 1.0
"""How long the end of the program waits for a frame that is just being read."""


def start_feed_thread(pull: Callable[[], None]) -> None:
    """Run ``pull`` in a thread that cannot keep the program from ending.

    It is a daemon, since a camera that hangs would otherwise hold the program forever. But a daemon that the
    interpreter's end catches inside a video library's native code takes the whole process down (``FATAL: exception
    not rethrown``), so the end waits for the frame that is just being read.
    """

    def work() -> None:
        try:
            pull()
        finally:
            atexit.unregister(wait)

    thread = threading.Thread(target=work, name="ferserve-feed", daemon=True)

    def wait() -> None:
        thread.join(LAST_FRAME_S)

    atexit.register(wait)
    thread.start()
