"""A camera in a process of its own, which tests kill, stop, start again and exchange."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Literal

Protocol = Literal["rtsp", "http"]
_PROGRAMS = {"rtsp": "tests.serving.rtsp_camera", "http": "tests.serving.mjpeg_camera"}


class CameraProcess:
    """On after it is made. A context manager, at the end of which it is off."""

    def __init__(self, protocol: Protocol, size: str = "320x240", fps: int = 30, login: str = "") -> None:
        self._protocol = protocol
        self._arguments = [f"--fps={fps}", f"--login={login}"]
        self._port = 0
        self.start(size)

    @property
    def url(self) -> str:
        """Where it is; the same after each start."""
        return f"{self._protocol}://127.0.0.1:{self._port}/live"

    def start(self, size: str) -> None:
        """Switch it on, with pictures of ``size``, such as ``320x240``."""
        command = [sys.executable, "-m", _PROGRAMS[self._protocol], f"--port={self._port}", f"--size={size}"]
        self._process = subprocess.Popen([*command, *self._arguments], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """Switch it off, without a word to its viewers."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def freeze(self) -> None:
        """Let it hang: its connections stay open, and nothing comes."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> CameraProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
