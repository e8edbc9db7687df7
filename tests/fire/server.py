"""``ferserve serve`` with its default limits, in a process of its own whose memory is watched."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psutil

_SAMPLE_S = 0.02


class FireServer:
    """Starts, waits for the ready line, and leaves nothing behind. A context manager.

    Its log goes to a file: nobody reads a pipe here, and a full one would stop the server.
    """

    def __init__(self, *arguments: str) -> None:
        """``arguments`` of ``ferserve serve``, besides ``--port 0``."""
        self._log = tempfile.TemporaryFile("a+")  # noqa: SIM115 - closed on exit; appended to by two processes
        command = [sys.executable, "-m", "ferserve", "serve", "--port", "0", "--workers", "1", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        assert self.process.stdout is not None
        ready = self.process.stdout.readline()
        assert ready.startswith("ferserve ready on "), self.log()
        self.address = ready.removeprefix("ferserve ready on ").partition(" ")[0]
        self._tree = psutil.Process(self.process.pid)
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self.peak_mb = 0.0
        """Resident memory of all its processes at most, MB of 10^6 bytes; set it to 0 to begin anew."""
        self._sampler.start()

    def resident_mb(self) -> float:
        """Resident memory of all its processes now, MB."""
        total = 0.0
        for process in (self._tree, *self._tree.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss / 1e6
        return total

    def cpu_s(self) -> float:
        """Processor time that its main process has used, s."""
        return sum(self._tree.cpu_times()[:2])

    def files(self) -> int:
        """Open file descriptors of its main process."""
        return self._tree.num_fds()

    def log(self) -> str:
        """Everything that it wrote to stderr."""
        self._log.seek(0)
        return self._log.read()

    def log_bytes(self) -> int:
        """How long its log is."""
        return self._log.seek(0, 2)

    def terminate(self, limit_s: float) -> float:
        """Send SIGTERM; seconds until it is gone, infinite if it is not after ``limit_s``."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return float("inf")
        return time.monotonic() - started

    def _sample(self) -> None:
        with contextlib.suppress(psutil.Error):
            while not self._over.wait(_SAMPLE_S):
                self.peak_mb = max(self.peak_mb, self.resident_mb())

    def __enter__(self) -> FireServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._sampler.join()
        with contextlib.suppress(psutil.Error):
            for child in self._tree.children(recursive=True):
                child.kill()
        self.process.kill()
        self.process.communicate()
        self._log.close()
