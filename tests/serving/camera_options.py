"""What the cameras of the tests are told on their command lines."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class CameraOptions:
    """A camera at ``port``, 0 for any; ``login`` is what Basic authentication must say, empty for none."""

    port: int
    width: int
    height: int
    fps: int
    path: str = "/live"
    login: str = ""


def parse(description: str | None) -> CameraOptions:
    """The options on this program's command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--path", default="/live")
    parser.add_argument("--login", default="")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    return CameraOptions(given.port, width, height, given.fps, given.path, given.login)


def announce(port: int) -> None:
    """Say that the camera is on, and where."""
    print(port, flush=True)
