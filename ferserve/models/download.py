"""Downloads that go on where they broke off, by the proxies of the environment."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

TIMEOUT_S = 30.0
_BLOCK = 1 << 16
_RANGE_NOT_SATISFIABLE = 416


class DownloadError(Exception):
    """Why a download ended early; what has come is kept."""


def download(url: str, partial: Path, max_bytes: int) -> None:
    """Fetch what ``partial`` lacks of the file at ``url``; a server that knows no ranges sends all of it.

    Raises :class:`DownloadError`, and OSError for a file that cannot be written.
    """
    with _locked(partial) as file:
        have = file.seek(0, 2)
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        try:
            # An opener of its own: that of urlopen keeps the proxies of its first call.
            with urllib.request.build_opener().open(request, timeout=TIMEOUT_S) as answer:
                if getattr(answer, "status", None) != http.client.PARTIAL_CONTENT:
                    file.truncate(have := 0)
                _append(answer, file, have, max_bytes)
        except urllib.error.HTTPError as error:
            if error.code == _RANGE_NOT_SATISFIABLE:  # it is all there
                return
            raise DownloadError(f"{error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(str(getattr(error, "reason", error)) or type(error).__name__) from None


def _append(answer: Any, file: IO[bytes], have: int, max_bytes: int) -> None:
    length = answer.headers.get("Content-Length")
    wanted = have + int(length) if length and length.isdecimal() else None
    while block := answer.read(_BLOCK):
        have += len(block)
        if have > max_bytes:
            raise DownloadError(f"more than {max_bytes} bytes")
        file.write(block)
    if wanted is not None and have < wanted:
        raise DownloadError(f"{have} of {wanted} bytes")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """The file at ``path``, open for appending; another process that wants it is told so."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DownloadError("another process that downloads it now") from None
        yield file
