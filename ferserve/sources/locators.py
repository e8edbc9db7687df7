"""Paths and URLs as users write them. No string goes on to native code unless it is checked here."""

from __future__ import annotations

import os
import re
import urllib.parse

from ferserve.errors import ConfigError

URL_SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "tcp", "udp")


def is_url(text: str) -> bool:
    """True if ``text`` is a URL but for those of files, which :func:`path_of` understands."""
    return "://" in text and not text.lower().startswith("file:") and not os.path.exists(_without_nul(text))


def checked_url(text: str) -> str:
    """``text``, a URL that FFmpeg may have; raises :class:`ConfigError`."""
    scheme = text.partition("://")[0].lower()
    if scheme not in URL_SCHEMES:
        raise ConfigError(f"source must be a URL of {', '.join(URL_SCHEMES)} or file, got {redacted(text)!r}")
    if not text.isprintable() or " " in text:  # lone surrogates are not printable either
        raise ConfigError(
            f"source must be a URL of printable characters, got {redacted(text)!r}; quote the others as %XX"
        )
    return text


_USERINFO = re.compile(r"(?<=://).*@", re.DOTALL)  # up to the last @: people do not quote what passwords hold
_SECRET = re.compile(
    r"((?:^|[?&;/_-])\w*(?:pass|pwd|psw|secret|token|key|auth|sig|credential)\w*=)[^&;/#\s]+", re.IGNORECASE
)


def redacted(text: str) -> str:
    """``text`` without the user, the password and other secrets of a URL, for messages, logs and results."""
    return _SECRET.sub(r"\1***", _USERINFO.sub("***@", text)) if "://" in text else text


def path_of(text: str) -> str:
    """The path that ``text`` names, itself or as a ``file:`` URL; raises :class:`ConfigError`.

    Bytes that are not UTF-8 are lone surrogates in it, as Python's own functions for files take them.
    """
    if "\0" in text:
        raise ConfigError(f"source must be a path without NUL characters, got {text!r}")
    if not text.lower().startswith("file:") or os.path.lexists(text):
        return text
    rest = text[len("file:") :]
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise ConfigError(f"source must be a file of this machine, got {text!r} of {host}")
        rest = slash + rest
    return os.fsdecode(urllib.parse.unquote_to_bytes(os.fsencode(rest)))


def _without_nul(text: str) -> str:
    return text.replace("\0", "")
