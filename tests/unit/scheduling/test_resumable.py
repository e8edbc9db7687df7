"""The tracks of closed streams: kept for a while, and not without bounds."""

from __future__ import annotations

from ferserve.pipeline import square_crops
from ferserve.scheduling.resumable import MAX_RESUMABLE, ResumableStreams
from ferserve.tracking.state import StateSettings, StreamState


def _state() -> StreamState:
    return StreamState(StateSettings("model", 0, 0, 1, 1, strict_minimum=True), square_crops)


def test_a_stream_is_given_back_once() -> None:
    streams, state = ResumableStreams(keep_s=60), _state()
    streams.put("a", state, 7)
    streams.put("b", _state(), 8)
    found = streams.take("a")
    assert found is not None
    assert (found.state, found.last_frame_id) == (state, 7)
    assert streams.take("a") is None
    assert len(streams) == 1


def test_what_is_too_old_is_forgotten_with_the_next_stream() -> None:
    streams = ResumableStreams(keep_s=0)
    for stream_id in "abc":
        streams.put(stream_id, _state(), 1)
        assert len(streams) == 0
    assert streams.take("c") is None


def test_the_longest_gone_make_room() -> None:
    streams, state = ResumableStreams(keep_s=60), _state()
    for number in range(MAX_RESUMABLE):
        streams.put(str(number), state, number)
    streams.put("0", state, 1)  # it came, and went again
    streams.put("one more", state, 1)
    assert len(streams) == MAX_RESUMABLE
    assert streams.take("1") is None
    assert streams.take("0") is not None
    assert streams.take("one more") is not None
