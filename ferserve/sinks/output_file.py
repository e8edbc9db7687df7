"""Files that outputs make."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from ferserve.errors import ConfigError


def open_output(path: Path, flag: str, *, overwrite: bool) -> BinaryIO:
    """A new file without a buffer, so that a full disk is noticed by the write that it fails.

    Raises :class:`ConfigError` if it exists and must not be overwritten, or cannot be made.
    """
    try:
        return path.open("wb" if overwrite else "xb", buffering=0)
    except FileExistsError:
        raise ConfigError(
            f"{flag} must be a new file, got {str(path)!r}, which exists; pass --overwrite or take another name"
        ) from None
    except (OSError, ValueError) as error:
        raise not_writable(flag, path, error) from None


def not_writable(flag: str, path: Path, error: Exception) -> ConfigError:
    """The error of a flag whose file cannot be written."""
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigError(f"{flag} must be a file that can be written, got {str(path)!r}: {reason}")


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all of ``data``, of which a disk that fills takes a part first."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
