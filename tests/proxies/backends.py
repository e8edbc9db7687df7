"""Three real servers on this machine that can be stopped, killed, frozen and started again at the same ports."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
from pathlib import Path

from tests.serving.health import free_port
from tests.serving.process import ServerProcess, serve_command
from tests.tiny_models import brightness_spec, write_brightness_model

NAMES = ("a", "b", "c")


class Backend:
    """One ``ferserve serve``. The version of its model is its name, so that each answer says who gave it."""

    def __init__(self, name: str, folder: Path, *, bundled: bool = False) -> None:
        """``bundled``: serve the bundled model, whose version is the same everywhere."""
        self.name = name
        self.port = free_port()
        self._bundled = bundled
        self._folder = folder / name
        self._folder.mkdir()
        spec = dataclasses.replace(brightness_spec(), version=name)
        write_brightness_model(self._folder / "brightness.onnx", spec)
        self._process: ServerProcess | None = None
        self._is_frozen = False

    @property
    def is_up(self) -> bool:
        return self._process is not None and self._process.process.poll() is None and not self._is_frozen

    def start(self, **settings: object) -> None:
        """Start it, or start it again, at its port, with ``settings`` of the server."""
        variables = [f"FERSERVE_SERVER_{key.upper()}={value}" for key, value in settings.items()]
        command = serve_command(self._folder, self.port)
        if self._bundled:
            command = [sys.executable, "-m", "ferserve", "serve", "--port", str(self.port), "--workers", "1"]
        self._process = ServerProcess(["env", f"FERSERVE_SERVER_INSTANCE={self.name}", *variables, *command])

    def stop(self) -> int:
        """Send SIGTERM and wait; returns the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a word to anybody."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it hang: its connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)
        self._is_frozen = True

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self._is_frozen = False

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._signal(number)
        code = self._process.wait()
        with contextlib.closing(self):
            return code

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.process.send_signal(number)

    def close(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            self._process.__exit__()
        self._process, self._is_frozen = None, False


class Backends:
    """The three of them, by name. A context manager."""

    def __init__(self, folder: Path, *, bundled: bool = False) -> None:
        self.by_name = {name: Backend(name, folder, bundled=bundled) for name in NAMES}

    def __getitem__(self, name: str) -> Backend:
        return self.by_name[name]

    def restore(self) -> None:
        """Thaw what is frozen and start what is down."""
        for backend in self.by_name.values():
            if backend._is_frozen:
                backend.thaw()
            if not backend.is_up:
                backend.start()

    def __enter__(self) -> Backends:
        self.restore()
        return self

    def __exit__(self, *_: object) -> None:
        for backend in self.by_name.values():
            backend.close()
