"""Log lines of a server: to stderr, one line per event, whatever clients send."""

from __future__ import annotations

import logging
from urllib.parse import unquote

from ferserve.server.log_limit import LimitedHandler

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
LOGGER_NAME = "ferserve"

_MAX_LENGTH = 300


def log_to_stderr(level: int) -> None:
    """Log our own events from ``level`` on, and warnings of other packages, each at most a few times in ten seconds."""
    handler = LimitedHandler(LOGGER_NAME)
    handler.setFormatter(ShortFormatter(LOG_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger(LOGGER_NAME).setLevel(level)


class ShortFormatter(logging.Formatter):
    """Makes one line of each event of another package, whose text and traceback clients may be able to choose."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; our own events keep their traceback."""
        if record.name.partition(".")[0] == LOGGER_NAME:
            return super().format(record)
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {record.exc_info[1]!r}"
        return super().format(
            logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, one_line(text), (), None)
        )


def one_line(text: str) -> str:
    """``text`` of a client as one line of printable characters, cut if it is long."""
    cut = text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}..."
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in cut)


def peer_name(peer: str) -> str:
    """gRPC's name of a peer without percent signs: ``ipv6:[::1]:40112``."""
    return one_line(unquote(peer))
