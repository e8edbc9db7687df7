"""A photograph behind a URL, which is decoded like any other file; video libraries decode it by rules of their own."""

from __future__ import annotations

import http.client
import urllib.request

_TIMEOUT_S = 10.0
_MAX_BYTES = 256 * 1024 * 1024
_SCHEMES = ("http://", "https://")


def fetch_image(url: str) -> bytes | None:
    """The bytes behind ``url`` if its server says that they are one image; None for anything else.

    Errors give None too: opening the URL as a video reports them. Streams of JPEGs are ``multipart``, not images.
    """
    if not url.lower().startswith(_SCHEMES):
        return None
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            if answer.headers.get_content_maintype() != "image":
                return None
            data: bytes = answer.read(_MAX_BYTES + 1)
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return data if len(data) <= _MAX_BYTES else None
