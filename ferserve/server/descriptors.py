"""Open files: each connection needs one."""

from __future__ import annotations

import resource

from ferserve.errors import ConfigError

MIN_FILES = 64
"""A process uses some fifteen itself."""
PER_WORKER = 8
"""Of the supervisor: pipes, and the connection that asks for the worker's health."""


def require_open_files(workers: int) -> None:
    """Raise :class:`ConfigError` if the process may open too few files to let clients in, ready as it might look."""
    needed = MIN_FILES + PER_WORKER * workers
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        raise ConfigError(
            f"the limit of open files must be at least {needed}, got {allowed}: hardly a client could connect; "
            "raise it with `ulimit -n`, or LimitNOFILE in systemd"
        )
