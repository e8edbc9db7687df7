"""Log lines of a server: to stderr, one line per event, whatever clients send."""

from __future__ import annotations

import logging
from urllib.parse import unquote

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
LOGGER_NAME = "ferserve"

_MAX_LENGTH = 300


def log_to_stderr(level: int) -> None:
    """Log our own events from ``level`` on, and warnings of other packages."""
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT)
    logging.getLogger(LOGGER_NAME).setLevel(level)


def one_line(text: str) -> str:
    """``text`` of a client as one line of printable characters, cut if it is long."""
    cut = text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}..."
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in cut)


def peer_name(peer: str) -> str:
    """gRPC's name of a peer without percent signs: ``ipv6:[::1]:40112``."""
    return one_line(unquote(peer))
