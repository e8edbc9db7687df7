"""Which frames get a detection pass."""

import pytest

from ferserve.tracking.schedule import DetectionSchedule

FRAME_NS = 33_000_000


def _passes(schedule: DetectionSchedule, frames: int, load: float, frame_ns: int = FRAME_NS) -> list[int]:
    passes = []
    for i in range(frames):
        if schedule.next_frame(i * frame_ns, load):
            schedule.record_pass(i * frame_ns, unsure=False)
            passes.append(i)
    return passes


@pytest.mark.parametrize(("load", "every"), [(0.0, 2), (0.3, 3), (0.6, 4), (1.0, 4), (7.0, 4)])
def test_load_decides_between_the_bounds(load: float, every: int) -> None:
    assert _passes(DetectionSchedule(2, 4), 13, load) == list(range(0, 13, every))


def test_equal_bounds_give_a_fixed_interval() -> None:
    assert _passes(DetectionSchedule(3, 3), 10, 0.0) == _passes(DetectionSchedule(3, 3), 10, 1.0) == [0, 3, 6, 9]


@pytest.mark.parametrize("load", [0.0, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("firm", [True, False])
def test_a_repeatable_schedule_ignores_the_load(load: float, firm: bool) -> None:
    assert _passes(DetectionSchedule(2, 4, strict_minimum=firm, repeatable=True), 13, load) == [0, 4, 8, 12]
    slow = _passes(DetectionSchedule(2, 4, strict_minimum=firm, repeatable=True), 6, load, frame_ns=200_000_000)
    assert slow == ([0, 2, 4] if firm else [0, 1, 2, 3, 4, 5])


def test_at_low_frame_rates_time_decides() -> None:
    assert _passes(DetectionSchedule(1, 5), 5, 1.0, frame_ns=200_000_000) == [0, 1, 2, 3, 4]
    assert _passes(DetectionSchedule(2, 5), 5, 1.0, frame_ns=200_000_000) == [0, 2, 4]
    assert _passes(DetectionSchedule(2, 5, strict_minimum=False), 5, 0.5, frame_ns=200_000_000) == [0, 1, 2, 3, 4]
    assert _passes(DetectionSchedule(2, 5, strict_minimum=False), 5, 1.0, frame_ns=200_000_000) == [0, 2, 4]


def test_a_missed_face_brings_the_next_pass_forward() -> None:
    schedule = DetectionSchedule(1, 5)
    assert schedule.next_frame(0, 1.0)
    schedule.record_pass(0, unsure=True)
    assert schedule.next_frame(FRAME_NS, 1.0)


def test_a_lost_template_allows_an_early_pass_within_the_bounds() -> None:
    schedule = DetectionSchedule(2, 5)
    assert schedule.next_frame(0, 1.0)
    schedule.record_pass(0, unsure=False)
    assert not schedule.next_frame(FRAME_NS, 1.0)
    assert not schedule.may_detect()
    assert not schedule.next_frame(2 * FRAME_NS, 1.0)
    assert schedule.may_detect()
