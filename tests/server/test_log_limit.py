"""A log that nobody can flood."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator

import pytest

from ferserve.server.log_limit import PERIOD_S, LimitedHandler
from ferserve.server.logs import LOG_FORMAT, ConsoleFormatter
from tests.fire.quick import BesideCamera
from tests.fire.server import FireServer
from tests.fire.test_garbage import metadata_that_is_no_text


class _Log:
    """A handler on a clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stream = io.StringIO()
        self.handler = LimitedHandler("ferserve", self.stream, lambda: self.now)
        self.handler.setFormatter(ConsoleFormatter(LOG_FORMAT))

    def write(self, name: str, level: int, text: str, *args: object, error: BaseException | None = None) -> None:
        info = (type(error), error, error.__traceback__) if error else None
        self.handler.handle(logging.LogRecord(name, level, "file.py", 1, text, args, info))

    def lines(self) -> list[str]:
        """The messages, without time and level."""
        return [line.split(": ", 1)[1] for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[_Log]:
    log = _Log()
    yield log
    log.handler.close()


def test_a_flood_of_warnings_becomes_five_lines_and_a_count(log: _Log) -> None:
    for number in range(1000):
        log.write("ferserve.server", logging.WARNING, "frame %d is odd", number)
    assert log.lines() == [f"frame {number} is odd" for number in range(5)]
    log.now = 10
    log.write("ferserve.server", logging.WARNING, "frame %d is odd", 1000)
    assert log.lines()[5:] == [
        "frame 999 is odd (the last of 995 such lines; the others were left out)",
        "frame 1000 is odd",
    ]


def test_what_is_still_counted_is_written_at_the_end(log: _Log) -> None:
    for number in range(7):
        log.write("ferserve.server", logging.ERROR, "frame %d is odd", number)
    log.handler.close()
    assert log.lines()[5:] == ["frame 6 is odd (the last of 2 such lines; the others were left out)"]


def test_one_kind_of_line_does_not_hide_another(log: _Log) -> None:
    for _ in range(100):
        log.write("ferserve.server", logging.WARNING, "this %s", "a")
    log.write("ferserve.server", logging.WARNING, "that %s", "b")
    log.write("ferserve.server", logging.ERROR, "this %s", "c")
    log.write("ferserve.client", logging.WARNING, "this %s", "d")
    assert log.lines()[5:] == ["that b", "this c", "this d"]


def test_other_packages_have_one_kind_a_level_whatever_the_text(log: _Log) -> None:
    for number in range(100):
        log.write("grpc._cython.cygrpc", logging.ERROR, f"a client wrote {number}")
    assert len(log.lines()) == 5


def test_errors_of_other_packages_are_one_line(log: _Log) -> None:
    try:
        b"\xff".decode()
    except UnicodeDecodeError as error:
        log.write("grpc", logging.ERROR, "Invalid\nencoding on %s", b"\xff", error=error)
    (line,) = log.lines()
    assert line.startswith("Invalid\\nencoding on b'\\xff': UnicodeDecodeError('utf-8', b'\\xff', 0, 1,")
    log.write("grpc", logging.ERROR, "a" * 10_000)
    assert len(log.lines()[1]) < 400


def test_our_own_errors_keep_their_traceback(log: _Log) -> None:
    try:
        raise RuntimeError("no room")
    except RuntimeError as error:
        log.write("ferserve.server", logging.ERROR, "internal error", error=error)
    assert log.stream.getvalue().splitlines()[-1] == "RuntimeError: no room"
    assert "Traceback" in log.stream.getvalue()


def test_info_has_more_room_and_debug_no_bound(log: _Log) -> None:
    for _ in range(1000):
        log.write("ferserve.server", logging.INFO, "stream opened")
        log.write("ferserve.server", logging.DEBUG, "frame answered")
    assert log.lines().count("stream opened") == 200
    assert log.lines().count("frame answered") == 1000


def test_metadata_that_is_no_text_fills_no_log() -> None:
    """For as long as a camera takes sixty frames."""
    with FireServer() as server:
        before, started = server.log_bytes(), time.monotonic()
        BesideCamera(server)(metadata_that_is_no_text)
        written = server.log_bytes() - before
        assert server.terminate(20) < 20
        assert written < 1500 * (1 + (time.monotonic() - started) / PERIOD_S)
        assert "Invalid encoding on b'\\xff'" in server.log()
        assert "such lines; the others were left out" in server.log().splitlines()[-1]
