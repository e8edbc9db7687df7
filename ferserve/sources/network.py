"""Videos and cameras behind URLs, as FFmpeg opens them."""

from __future__ import annotations

import os
import socket
import urllib.parse
from typing import TYPE_CHECKING, Final

from ferserve.errors import ConfigError, explained_imports
from ferserve.sources.live import SourceRefusedError
from ferserve.sources.locators import redacted

if TYPE_CHECKING:
    from ferserve.sources.container import VideoContainer
    from ferserve.sources.live_container import LiveContainer

_PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "rtmps": 443}
_KNOCK_S = 1.0

_RTSP: Final = {
    "rtsp_flags": "prefer_tcp",  # a lost UDP packet would smear the picture up to the next key frame
    "allowed_media_types": "video",
    "max_delay": "200000",  # us that a camera's UDP packets may wait for one that comes late
    "fpsprobesize": "0",  # nobody asks for the frame rate, and finding it out takes a second
}
_PROBING: Final = {"analyzeduration": "2000000", "fpsprobesize": "0"}  # us; 5 s would make a camera come back late


def open_url(url: str) -> VideoContainer:
    """Open what nobody opened before, live or not; raises :class:`ConfigError` with the way out."""
    with explained_imports():
        from ferserve.sources.container import VideoContainer
    try:
        return VideoContainer(url, redacted(url), _options(url), live=not url.lower().startswith("http"))
    except ConfigError as error:
        raise _explained(error, url) from None


def open_again(url: str) -> LiveContainer:
    """Open what was live before; raises :class:`ConfigError`."""
    from ferserve.sources.container import VideoContainer
    from ferserve.sources.live_container import LiveContainer

    _knock(url)
    try:
        return LiveContainer(VideoContainer(url, redacted(url), {**_options(url), **_PROBING}, live=True))
    except ConfigError as error:
        raise _explained(error, url) from None


def _options(url: str) -> dict[str, str]:
    return dict(_RTSP) if url.lower().startswith("rtsp") else {}


def _knock(url: str) -> None:
    """Connect and hang up: a machine that is off is asked once a second, where FFmpeg would wait ever longer.

    Raises :class:`ConfigError` if nobody is there.
    """
    parts = urllib.parse.urlsplit(url)
    try:
        port = parts.port or _PORTS.get(parts.scheme.lower())
        behind_proxy = parts.scheme.lower().startswith("http") and os.environ.get("http_proxy")
        if port is None or parts.hostname is None or behind_proxy:
            return
        socket.create_connection((parts.hostname, port), timeout=_KNOCK_S).close()
    except (OSError, ValueError) as error:
        where = parts.netloc.rpartition("@")[2]
        raise ConfigError(f"cannot reach {where}: {getattr(error, 'strerror', None) or error}") from None


def _explained(error: ConfigError, url: str) -> ConfigError:
    """``error`` with the way out, if its cause has one."""
    from av.error import ConnectionRefusedError, HTTPForbiddenError, HTTPNotFoundError, HTTPUnauthorizedError

    cause = error.__cause__
    if isinstance(cause, HTTPUnauthorizedError | HTTPForbiddenError):
        scheme = url.partition("://")[0]
        return SourceRefusedError(f"{error}; put a user and a password into it: {scheme}://USER:PASSWORD@HOST/PATH")
    if isinstance(cause, HTTPNotFoundError):
        return ConfigError(f"{error}; check the path of the URL")
    if isinstance(cause, ConnectionRefusedError):
        return ConfigError(f"{error}; check the port, and that the camera is on")
    return error
