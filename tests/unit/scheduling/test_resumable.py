"""What is kept of streams that are gone: not for ever, and not without bounds."""

from __future__ import annotations

from ferserve.pipeline import square_crops
from ferserve.scheduling.resumable import MOST_PARKED, ParkedStreams
from ferserve.tracking.state import StateSettings, StreamState


def _state() -> StreamState:
    return StreamState(StateSettings("model", 0, 0, 1, 1, strict_minimum=True), square_crops)


def test_a_stream_is_given_back_once() -> None:
    parked, state = ParkedStreams(keep_s=60), _state()
    parked.put("a", state, 7)
    parked.put("b", _state(), 8)
    found = parked.take("a")
    assert found is not None
    assert (found.state, found.last_frame_id) == (state, 7)
    assert parked.take("a") is None
    assert len(parked) == 1


def test_what_is_too_old_is_forgotten_with_the_next_stream() -> None:
    parked = ParkedStreams(keep_s=0)
    for stream_id in "abc":
        parked.put(stream_id, _state(), 1)
        assert len(parked) == 0
    assert parked.take("c") is None


def test_the_longest_gone_make_room() -> None:
    parked, state = ParkedStreams(keep_s=60), _state()
    for number in range(MOST_PARKED):
        parked.put(str(number), state, number)
    parked.put("0", state, 1)  # it came, and went again
    parked.put("one more", state, 1)
    assert len(parked) == MOST_PARKED
    assert parked.take("1") is None
    assert parked.take("0") is not None
    assert parked.take("one more") is not None
