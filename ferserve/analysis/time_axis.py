"""An axis of time: seconds of a clip, minutes and hours of a film, the clock of a camera."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

_CLOCK_S = 1e8
"""Times above are of the clock of the world, in seconds since 1970; no recording lasts three years."""
_STEPS_S = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200),
    *(14400, 21600, 43200, 86400),
)
_MOST_TICKS = 12


def time_axis(axes: Any, edges_s: Any) -> float:
    """Set limits, ticks and the label of the x axis of ``axes`` for ``edges_s``, float64 (N,), s.

    Returns:
        The time that is drawn at 0, s: 0 for a recording; for a camera, its first second.
    """
    origin = float(int(edges_s[0])) if edges_s[0] > _CLOCK_S else 0.0
    first, last = float(edges_s[0]) - origin, float(edges_s[-1]) - origin
    step = next((step for step in _STEPS_S if (last - first) / step <= _MOST_TICKS), _STEPS_S[-1])
    while (last - first) / step > _MOST_TICKS:
        step *= 2
    number = -(-first // step)
    ticks = []
    while number * step <= last + 1e-9:
        ticks.append(number * step)
        number += 1
    axes.set_xlim(first, last)
    axes.set_xticks(ticks, [_clock(tick, last) for tick in ticks])
    unit = "s" if last < 120 else "m:ss" if last < 3600 else "h:mm:ss"
    start = datetime.fromtimestamp(origin, timezone.utc)
    axes.set_xlabel(f"{unit} since {start:%Y-%m-%d %H:%M:%S} UTC" if origin else f"time, {unit}")
    return origin


def _clock(time_s: float, last_s: float) -> str:
    if last_s < 120:
        return f"{time_s:.2f}".rstrip("0").rstrip(".")
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if last_s >= 3600 else f"{minutes}:{seconds:02}"
