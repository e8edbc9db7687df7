"""The clock of a recording rises whatever the container says."""

from __future__ import annotations

from fractions import Fraction

import pytest

from ferserve.sources.clock import RecordingClock


@pytest.mark.parametrize(
    ("at_ms", "times_ms"),
    [
        ([0, 40, 80], [0, 40, 80]),
        ([95_443_717, 95_443_757], [0, 40]),
        ([0, 0, 0], [0, 25, 50]),
        ([None, None, None], [0, 25, 50]),
        ([0, 40, 10, 50], [0, 40, 65, 105]),
        ([0, 40, None, 90], [0, 40, 65, 90]),
        ([None, 500, 540], [0, 25, 65]),
    ],
)
def test_times(at_ms: list[int | None], times_ms: list[int]) -> None:
    clock = RecordingClock(40)
    times = [clock.time_ns(None if ms is None else Fraction(ms, 1000)) for ms in at_ms]
    assert times == [max(ms * 10**6, 1) for ms in times_ms]
