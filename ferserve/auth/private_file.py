"""Files with secrets."""

from __future__ import annotations

import os
import stat

from ferserve.errors import ConfigError

_OTHERS = stat.S_IWGRP | stat.S_IRWXO


def read_private(path: str, setting: str, max_bytes: int) -> bytes:
    """The content of the file that ``setting`` names.

    Raises :class:`ConfigError` if it cannot be read, has more than ``max_bytes``, or others than its owner and group
    may read it, or others than its owner write it.
    """
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & _OTHERS:
                raise ConfigError(
                    f"{setting} must be written by its owner and read by its owner and group alone, "
                    f"got {path} with mode {mode:o}; `chmod 640 {path}`"
                )
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise ConfigError(f"{setting} must be a file that can be read, got {path}: {error.strerror}") from None
    if len(content) > max_bytes:
        raise ConfigError(f"{setting} must have at most {max_bytes} bytes, got more in {path}")
    return content
