"""A Jetson: one line of ``tegrastats`` after the other, and NVML for what the line does not say."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import weakref
from dataclasses import replace

from ferserve.meters.gpu import GpuMeter, GpuReading

_INTERVAL_MS = 100
_FIRST_LINE_S = 5.0

_LOAD = re.compile(r"GR3D_FREQ (\d+)%")
"""``45%``, ``45%@1300`` or ``45%@[1300,1300]``; on Thor ``@[1000,1000,1000]``, frequencies without a load."""
_MEMORY = re.compile(r"\bRAM (\d+)/(\d+)MB")
_RAIL = re.compile(r"\b([A-Z][A-Z0-9_]*) (\d+)(?:mW)?/\d+(?:mW)?(?=\s|$)")
_INPUTS = ("VDD_IN", "VIN", "POM_5V_IN")
"""Rails that feed all others: of Orin NX and Nano and Xavier NX, of Thor, of the first Nano. Elsewhere the rails add up
(AGX Orin: ``VDD_GPU_SOC``, ``VDD_CPU_CV`` and ``VIN_SYS_5V0``)."""


def is_jetson() -> bool:
    """True on an NVIDIA Jetson, which has ``tegrastats``."""
    return shutil.which("tegrastats") is not None


def parse_tegrastats(line: str) -> GpuReading:
    """A line of JetPack 4 to 7 as a reading; what the line does not say is None. Milliwatts are the current ones."""
    load, memory = _LOAD.search(line), _MEMORY.search(line)
    rails = {name: int(milliwatts) for name, milliwatts in _RAIL.findall(line)}
    total = next((rails[name] for name in _INPUTS if name in rails), sum(rails.values()))
    return GpuReading(
        float(load[1]) if load else None,
        float(memory[1]) if memory else None,
        total / 1000 if rails else None,
        float(memory[2]) if memory else None,
        "jetson",
    )


class JetsonMeter:
    """The integrated GPU. ``tegrastats`` starts with the first reading and ends with this object."""

    def __init__(self, card: GpuMeter | None = None) -> None:
        """``card`` is NVML's view of the GPU, which is where Thor tells its load."""
        self._card = card
        self._lines: _Lines | None = None

    def read(self) -> GpuReading:
        """The newest line; waits for the first one. Nothing is known if tegrastats does not run."""
        if self._lines is None or self._lines.ended:
            self._lines = _Lines()
        reading = parse_tegrastats(self._lines.newest())
        if reading.load_percent is None and self._card is not None:
            reading = replace(reading, load_percent=self._card.read().load_percent)
        return reading


class _Lines:
    """A running ``tegrastats`` and its newest line."""

    def __init__(self) -> None:
        command = ["tegrastats", "--interval", str(_INTERVAL_MS)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._newest = ""
        self._first = threading.Event()
        self.ended = False
        weakref.finalize(self, _end, self._process)
        threading.Thread(target=_read, args=(weakref.ref(self), self._process), daemon=True).start()

    def newest(self) -> str:
        """The newest line, empty if none came in time."""
        self._first.wait(_FIRST_LINE_S)
        return self._newest

    def take(self, line: str) -> None:
        """Keep ``line``; an empty one is the end."""
        self._newest, self.ended = line or self._newest, not line
        self._first.set()


def _read(lines: weakref.ref[_Lines], process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    while True:
        line = process.stdout.readline()
        held = lines()
        if held is not None:
            held.take(line)
        if held is None or not line:
            return
        del held  # waiting for a line keeps nobody alive


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
