"""What a server says to whoever starts it."""

from __future__ import annotations

import contextlib
import logging
import os
import sys

from ferserve.addresses import is_loopback
from ferserve.config import ServerConfig

logger = logging.getLogger(__name__)


def announce(line: str) -> None:
    """Print ``line`` on stdout. If nothing can be written there, serving goes on, and the log says so."""
    try:
        print(line, flush=True)
    except OSError as error:  # a full disk, or a reader that is gone
        logger.warning("cannot print the ready line: %s; serving all the same", error.strerror)
        with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # Python writes the rest of its buffer at the exit


def warn_of_plain_text(config: ServerConfig) -> None:
    """Log a warning if pictures would cross a network that anyone can read."""
    if config.tls_cert or config.uds or is_loopback(config.host):
        return
    callers = "tokens count from this machine alone" if config.token_file else "anyone may call"
    logger.warning(
        "serving plain text on %s: everyone on the way sees pictures and emotions, and %s; "
        "set server.tls_cert and server.tls_key, or server.host 127.0.0.1",
        config.host,
        callers,
    )
