"""What native code writes to stderr, past Python and its logging."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


@contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """Hold back what the process writes to file descriptor 2; the list has its lines once the block is left.

    Other threads write there too, so keep the block short and hand on the lines that are theirs. Where there is no such
    descriptor, as in a daemon, nothing is held back.
    """
    lines: list[str] = []
    try:
        outside = os.dup(_STDERR)
    except OSError:
        yield lines
        return
    try:
        with tempfile.TemporaryFile() as held:
            _flush()
            os.dup2(held.fileno(), _STDERR)
            try:
                yield lines
            finally:
                _flush()
                os.dup2(outside, _STDERR)
                held.seek(0)
                lines += held.read().decode(errors="replace").splitlines()
    finally:
        os.close(outside)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
