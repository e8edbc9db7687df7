"""The keys that servers share to go on with each other's streams."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Sequence
from typing import Final

from ferserve.auth.private_file import read_private
from ferserve.errors import ConfigError
from ferserve.wire.files import Stamp, stamp
from ferserve.wire.resume_token import MIN_KEY_BYTES, Key

logger = logging.getLogger(__name__)

_SETTING: Final = "server.resume_key_file"
_MAX_FILE_BYTES: Final = 64 * 1024
_MAX_KEYS: Final = 16
_FORM: Final = re.compile(rf"(?:[0-9a-fA-F]{{2}}){{{MIN_KEY_BYTES},256}}")
_CHECK_S: Final = 1.0


def read_keys(path: str) -> list[Key]:
    """The keys of a file: one per line in hex, lines that start with ``#`` apart.

    Raises :class:`ConfigError`, which does not quote what it got, as :func:`read_private` does, and if a line is no key
    or there is none.
    """
    text = read_private(path, _SETTING, _MAX_FILE_BYTES).decode("ascii", "replace")
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), 1)}
    keys = []
    for number, line in lines.items():
        if line and not line.startswith("#"):
            if not _FORM.fullmatch(line):
                raise ConfigError(
                    f"{_SETTING} must have a key of at least {MIN_KEY_BYTES} bytes in hex per line, got another line "
                    f"{number} in {path}; `openssl rand -hex 32` prints a key"
                )
            keys.append(Key.of(bytes.fromhex(line)))
    if not 1 <= len(keys) <= _MAX_KEYS:
        raise ConfigError(f"{_SETTING} must have 1 to {_MAX_KEYS} keys, got {len(keys)} in {path}")
    return keys


class ResumeKeys:
    """The keys of a file, read again once it changes. Any thread may use it."""

    def __init__(self, path: str) -> None:
        """Raises as :func:`read_keys` does."""
        self._path = path
        self._stamp: Stamp | None = stamp(path)
        self._keys = read_keys(path)
        self._checked_s = time.monotonic()
        self._lock = threading.Lock()

    def now(self) -> Sequence[Key]:
        """All keys; the first one seals.

        A file that cannot be used any more changes nothing, and the log says so, once per change.
        """
        if time.monotonic() - self._checked_s >= _CHECK_S:
            with self._lock:
                self._refresh()
        return self._keys

    def _refresh(self) -> None:
        self._checked_s = time.monotonic()
        if (found := stamp(self._path)) == self._stamp:
            return
        self._stamp = found
        try:
            self._keys = read_keys(self._path)
        except ConfigError as error:
            logger.warning("cannot read the resume keys again, the old ones stay in force: %s", error)
