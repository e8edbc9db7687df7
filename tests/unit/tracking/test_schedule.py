"""When the detector looks."""

import pytest

from ferserve.tracking.schedule import Cadence

FRAME_NS = 33_000_000


def _looks(cadence: Cadence, frames: int, load: float, frame_ns: int = FRAME_NS) -> list[int]:
    looked = []
    for i in range(frames):
        if cadence.next_frame(i * frame_ns, load):
            cadence.looked(i * frame_ns, unsure=False)
            looked.append(i)
    return looked


@pytest.mark.parametrize(("load", "every"), [(0.0, 2), (0.3, 3), (0.6, 4), (1.0, 4), (7.0, 4)])
def test_load_decides_between_the_bounds(load: float, every: int) -> None:
    assert _looks(Cadence(2, 4), 13, load) == list(range(0, 13, every))


def test_equal_bounds_give_a_fixed_interval() -> None:
    assert _looks(Cadence(3, 3), 10, 0.0) == _looks(Cadence(3, 3), 10, 1.0) == [0, 3, 6, 9]


def test_at_low_frame_rates_time_decides() -> None:
    assert _looks(Cadence(1, 5), 5, 1.0, frame_ns=200_000_000) == [0, 1, 2, 3, 4]
    assert _looks(Cadence(2, 5), 5, 1.0, frame_ns=200_000_000) == [0, 2, 4]
    assert _looks(Cadence(2, 5, firm=False), 5, 0.5, frame_ns=200_000_000) == [0, 1, 2, 3, 4]
    assert _looks(Cadence(2, 5, firm=False), 5, 1.0, frame_ns=200_000_000) == [0, 2, 4]


def test_a_missed_face_brings_the_next_look_forward() -> None:
    cadence = Cadence(1, 5)
    assert cadence.next_frame(0, 1.0)
    cadence.looked(0, unsure=True)
    assert cadence.next_frame(FRAME_NS, 1.0)


def test_an_unsure_follower_may_look_within_the_bounds() -> None:
    cadence = Cadence(2, 5)
    assert cadence.next_frame(0, 1.0)
    cadence.looked(0, unsure=False)
    assert not cadence.next_frame(FRAME_NS, 1.0)
    assert not cadence.may_look()
    assert not cadence.next_frame(2 * FRAME_NS, 1.0)
    assert cadence.may_look()
