"""What native code writes to stderr, past Python and its logging."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STDERR = 2
_PAUSE_S = 0.2
"""Between two looks at what was written; so long may the lines of others wait."""


@contextmanager
def filtered_stderr(is_noise: Callable[[str], bool]) -> Iterator[list[str]]:
    """Hold back the noise that the process writes to file descriptor 2; the list has it once the block is left.

    Lines of others, which is what other threads write meanwhile, go on to stderr. If there is no such descriptor, as in
    a daemon, nothing is held back. A file in between, and no pipe, cannot fill up while native code holds the GIL.
    """
    lines: list[str] = []
    try:
        outside = os.dup(_STDERR)
    except OSError:
        yield lines
        return
    try:
        with tempfile.TemporaryFile() as held:
            filter_ = _Filter(held.fileno(), outside, is_noise, lines)
            done = threading.Event()
            thread = threading.Thread(target=filter_.run, args=(done,), daemon=True)
            _flush()
            os.dup2(held.fileno(), _STDERR)
            thread.start()
            try:
                yield lines
            finally:
                _flush()
                os.dup2(outside, _STDERR)
                done.set()
                thread.join()
                filter_.take(last=True)
    finally:
        os.close(outside)


class _Filter:
    """Reads what is appended to a file, line by line."""

    def __init__(self, held: int, outside: int, is_noise: Callable[[str], bool], noise: list[str]) -> None:
        self._held, self._outside, self._is_noise, self._noise = held, outside, is_noise, noise
        self._read, self._rest = 0, b""

    def run(self, done: threading.Event) -> None:
        """Look again and again until ``done``."""
        while not done.wait(_PAUSE_S):
            self.take()

    def take(self, *, last: bool = False) -> None:
        """Sort the lines that are new; only the ``last`` time one without an end counts as a line."""
        text = os.pread(self._held, os.fstat(self._held).st_size - self._read, self._read)
        self._read += len(text)
        *lines, self._rest = (self._rest + text).split(b"\n")
        if last and self._rest:
            lines.append(self._rest)
        for line in lines:
            shown = line.decode(errors="replace")
            if self._is_noise(shown):
                self._noise.append(shown)
            else:
                os.write(self._outside, line + b"\n")


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
