"""The power mode and clocks of a machine, which belong beside every figure measured on a Jetson."""

from __future__ import annotations

import re
import shutil
import subprocess

_LIMIT_S = 10.0


def power_mode() -> str:
    """Such as ``nvpmodel MAXN, clocks fixed``; empty if this machine has no ``nvpmodel``."""
    said = _output("nvpmodel", "-q")
    if said is None:
        return ""
    mode = parse_nvpmodel(said)
    clocks = _output("jetson_clocks", "--show")
    return f"nvpmodel {mode}, {parse_clocks(clocks or '')}"


def parse_nvpmodel(text: str) -> str:
    """The mode in the answer of ``nvpmodel -q``, such as ``MAXN`` or ``30W``; ``unknown`` if there is none."""
    found = re.search(r"NV Power Mode: *(\S+)", text)
    return found[1] if found else "unknown"


def parse_clocks(text: str) -> str:
    """``clocks fixed`` if ``jetson_clocks --show`` shows fixed ones, else ``clocks free``."""
    ranges = re.findall(r"(?:GPU|cpu\d+):?.*?MinFreq=(\d+) MaxFreq=(\d+)", text)
    if not ranges:
        return "clocks unknown"  # it asks for root on some systems
    return "clocks fixed" if all(least == most for least, most in ranges) else "clocks free"


def _output(*command: str) -> str | None:
    """What ``command`` prints; None if it is not there or fails to end."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout
