"""Power of the whole machine without a sensor of its own: RAPL's energy counters, or the battery."""

from __future__ import annotations

import time
from pathlib import Path

RAPL = "sys/class/powercap"
BATTERIES = "sys/class/power_supply"


class PowerMeter:
    """Mean power, W, between :meth:`start` and :meth:`stop`; ``root`` is the folder of ``sys``.

    RAPL counts the processor packages (Intel, and AMD from Zen on), so it is preferred; a battery tells what it gives
    at the moment, and only if it discharges.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._packages = sorted((root / RAPL).glob("intel-rapl:?"))
        self._batteries = sorted((root / BATTERIES).glob("BAT*"))
        self._started: tuple[float, list[int]] | None = None

    def start(self) -> None:
        """Remember time and energy."""
        energies = [_number(package / "energy_uj") for package in self._packages]
        known = [energy for energy in energies if energy is not None]  # root alone may read them on most systems
        self._started = (time.monotonic(), known) if known and len(known) == len(energies) else None

    def stop(self, now: float | None = None) -> float | None:
        """Watts since :meth:`start`, None if nothing here can be asked; ``now`` is a monotonic time, s."""
        if self._started is None:
            return self._discharging()
        began, before = self._started
        used = 0
        for package, start in zip(self._packages, before, strict=True):
            end = _number(package / "energy_uj")
            if end is None:
                return None
            used += end - start if end >= start else end - start + (_number(package / "max_energy_range_uj") or 0)
        return used / 1e6 / max((time.monotonic() if now is None else now) - began, 1e-9)

    def _discharging(self) -> float | None:
        watts = [_battery_w(battery) for battery in self._batteries]
        known = [value for value in watts if value is not None]
        return sum(known) if known else None


def _battery_w(battery: Path) -> float | None:
    """Watts that a battery gives, None while it is charged or full."""
    try:
        if (battery / "status").read_text().strip() != "Discharging":
            return None
    except OSError:
        return None
    power = _number(battery / "power_now")
    if power is not None:
        return power / 1e6
    current, voltage = _number(battery / "current_now"), _number(battery / "voltage_now")
    return None if current is None or voltage is None else current * voltage / 1e12


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
