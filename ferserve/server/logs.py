"""Log lines of a server: to stderr, one line per event, whatever clients send."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Any, Final
from urllib.parse import unquote

from ferserve.server.log_limit import LimitedHandler

LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s%(request)s: %(message)s"
LOGGER_NAME: Final = "ferserve"
ACCESS_LOGGER: Final = "ferserve.access"
REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The call that the current task answers; empty outside of calls."""

_MAX_LENGTH = 300


def log_to_stderr(level: str, style: str = "console", *, access: bool = False) -> None:
    """Log our own events from ``level`` on, and warnings of other packages, each at most a few times in ten seconds.

    ``style`` is ``console`` or ``json``; ``access`` writes a line for every call, without that limit.
    """
    handler = LimitedHandler(LOGGER_NAME, unlimited=ACCESS_LOGGER)
    handler.addFilter(_remember_request)
    handler.setFormatter(JsonFormatter() if style == "json" else ConsoleFormatter(LOG_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger(LOGGER_NAME).setLevel(level.upper())
    logging.getLogger(ACCESS_LOGGER).setLevel(logging.INFO if access else logging.CRITICAL)


def _remember_request(record: logging.LogRecord) -> bool:
    """Keep the request of a line that may be written later, when others are answered."""
    record.request_id = REQUEST_ID.get()
    return True


class ConsoleFormatter(logging.Formatter):
    """One line per event for people; a traceback of ours follows on lines of its own."""

    def formatException(self, ei: Any) -> str:
        """The traceback; its last words may be those of a client."""
        return "\n".join(map(_printable, super().formatException(ei).splitlines()))

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the request in brackets if there is one."""
        own = _is_own(record)
        shown = logging.makeLogRecord({**record.__dict__, "msg": _text_of(record), "args": ()})
        request = getattr(record, "request_id", "")
        shown.request = f" [{request}]" if request else ""
        if not own:
            shown.exc_info = shown.exc_text = None
        return super().format(shown)


class JsonFormatter(logging.Formatter):
    """One JSON object per event, on one line: ``time`` (UTC), ``level``, ``logger``, ``message``, and what else is
    known: ``request_id``, ``traceback``, and the fields of the access log.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _text_of(record),
        }
        if request := getattr(record, "request_id", ""):
            line["request_id"] = request
        line |= getattr(record, "fields", {})
        if record.exc_info and _is_own(record):
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _is_own(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == LOGGER_NAME


def _text_of(record: logging.LogRecord) -> str:
    """The message in printable characters; of other packages in one short line, for clients may choose its text."""
    text = record.getMessage()
    if _is_own(record):
        return _printable(text)
    if record.exc_info and record.exc_info[1] is not None:
        text += f": {record.exc_info[1]!r}"
    return one_line(text)


def one_line(text: str) -> str:
    """``text`` of a client as one line of printable characters, cut if it is long."""
    return _printable(text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}...")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def peer_name(peer: str) -> str:
    """gRPC's name of a peer without percent signs: ``ipv6:[::1]:40112``."""
    return one_line(unquote(peer))
