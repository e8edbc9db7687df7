"""gevent and eventlet put greenlets in the place of threads. gRPC's event loop waits in threads, and would for ever."""

from __future__ import annotations

import _thread
import queue
import select

from ferserve.errors import ConfigError

_REMEDIES = {
    "gevent": "monkey.patch_all(thread=False, select=False, queue=False)",
    "eventlet": "eventlet.monkey_patch(thread=False, select=False)",
}


def require_system_threads() -> None:
    """Raises :class:`ConfigError` if threads, or what they wait with, were patched."""
    for needed in (_thread.start_new_thread, select.select, queue.SimpleQueue):
        library = needed.__module__.partition(".")[0]
        if library in _REMEDIES:
            raise ConfigError(
                f"client must run on threads of the system, got those of {library} in their place; patch by "
                f"`{_REMEDIES[library]}`, or use a LocalClient or a process without {library}"
            )
