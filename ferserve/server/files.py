"""File descriptors for connections, and a reserve for everything else."""

from __future__ import annotations

import logging
import resource
import sys

logger = logging.getLogger(__name__)

_RESERVE = 256
"""For models, logs, pipes and event loops; half of all if there are fewer than twice as many."""


def connections_within_files(wanted: int) -> int:
    """How many connections of ``wanted`` leave a reserve of file descriptors.

    Raises the process's limit on open files as far as it needs and may. Without a reserve, a server that is full of
    connections could not load a model either, and gRPC would try to accept the next one again and again.
    """
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in limits)
    if soft < (needed := min(hard, wanted + _RESERVE)):
        soft = needed
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))
    allowed = min(wanted, soft - min(_RESERVE, soft // 2))
    if allowed < wanted:
        logger.warning(
            "server.max_connections is lowered from %d to %d: this process may open %d files", wanted, allowed, soft
        )
    return allowed
