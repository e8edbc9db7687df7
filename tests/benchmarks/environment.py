"""The machine and the versions that a figure was measured with: what may be compared with what."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from ferserve.meters.power_mode import power_mode

PACKAGES = ("numpy", "opencv-python-headless", "simplejpeg", "protobuf", "grpcio", "onnxruntime", "Cython")


def versions() -> dict[str, str]:
    """Of the interpreter, the C library and every package that does part of the work."""
    found = {
        "python": f"{platform.python_version()} ({platform.python_compiler()})",
        "libc": "".join(platform.libc_ver()),
    }
    return found | {package: _version(package) for package in PACKAGES}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def machine() -> dict[str, str]:
    """CPU model, number of processors that may be used, and system: one class of machines."""
    return {
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.machine()}",
    } | ({"power_mode": mode} if (mode := power_mode()) else {})


def counting_versions() -> dict[str, str]:
    """All that instruction counts depend on besides our code. Valgrind shows every program the same processor, but for
    AVX2."""
    tools = {"gcc": first_line("gcc", "-dumpfullversion"), "valgrind": first_line("valgrind", "--version")}
    return {**versions(), **tools, "machine": platform.machine(), "avx2": str(" avx2 " in _cpu_flags())}


def first_line(*command: str) -> str:
    """What a tool prints, or ``none`` if it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return done.stdout.partition("\n")[0]


def differences(here: dict[str, str], there: dict[str, str]) -> list[str]:
    """``numpy 2.4.1, not 2.4.0`` for every entry that is not the same."""
    keys = sorted(here.keys() | there.keys())
    pairs = ((key, here.get(key, "none"), there.get(key, "none")) for key in keys)
    return [f"{key} {mine}, not {theirs}" for key, mine, theirs in pairs if mine != theirs]


def _cpu_model() -> str:
    for line in _cpu_info().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _cpu_flags() -> str:
    lines = [line for line in _cpu_info().splitlines() if line.startswith("flags")]
    return f"{lines[0]} " if lines else ""


def _cpu_info() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
