"""A photograph behind a URL, which is decoded like any other file; video libraries decode it by rules of their own."""

from __future__ import annotations

import http.client
import string
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from ferserve.errors import InvalidFrameError
from ferserve.sources.images import read_image
from ferserve.sources.locators import redacted

_SILENCE_S = 10.0
_LONGEST_S = 300.0
_SCHEMES = ("http://", "https://")


def fetch_image(url: str) -> bytes | None:
    """The bytes behind ``url`` if its server says that they are one image; None for anything else.

    Errors give None too: opening the URL as a video reports them. Streams of JPEGs are ``multipart``, not images.
    """
    if not url.lower().startswith(_SCHEMES):
        return None
    try:
        with _ask(url) as answer:
            return read_image(_Body(answer)) if answer.headers.get_content_maintype() == "image" else None
    except (InvalidFrameError, OSError, ValueError, http.client.HTTPException):
        return None


def download_image(url: str) -> bytes:
    """The bytes behind ``url``, whatever its server calls them.

    Raises :class:`InvalidFrameError` if it cannot be one image, and OSError with the reason if nothing comes.
    """
    if not url.lower().startswith(_SCHEMES):
        raise InvalidFrameError(
            f"source must be a URL of http or https, got {redacted(url)}; `ferserve stream` takes others"
        )
    try:
        with _ask(url) as answer:
            if answer.headers.get_content_maintype() == "multipart":
                raise InvalidFrameError(
                    f"source must be one image, got a stream of them at {redacted(url)}; see `ferserve stream`"
                )
            return read_image(_Body(answer))
    except urllib.error.HTTPError as error:
        raise OSError(f"its server answers {error.code} {error.reason}".rstrip()) from None
    except urllib.error.URLError as error:
        reason = error.reason
        raise OSError(getattr(reason, "strerror", None) or str(reason)) from None
    except (http.client.HTTPException, ValueError) as error:
        if isinstance(error, InvalidFrameError):
            raise
        raise OSError(f"it cannot be downloaded: {type(error).__name__}: {error}") from None


def _ask(url: str) -> Any:
    ascii_url = urllib.parse.quote(url, safe=string.punctuation)  # as browsers send it
    return urllib.request.urlopen(ascii_url, timeout=_SILENCE_S)


class _Body:
    """The body of an answer as a file, which must come in time and whole."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self._answer = answer
        self._deadline = time.monotonic() + _LONGEST_S

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, empty at the end; raises OSError."""
        if time.monotonic() > self._deadline:
            raise OSError(f"it did not come within {_LONGEST_S:g} s")
        part = self._answer.read1(size)
        if not part and self._answer.length:
            raise OSError(f"its connection broke with {self._answer.length} bytes to come")
        return part
