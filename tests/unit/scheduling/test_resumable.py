"""The tracks of closed streams: kept for a while, and not without bounds."""

from __future__ import annotations

import pytest

from ferserve.config import EngineConfig
from ferserve.pipeline import square_crops
from ferserve.scheduling.caller import WITHIN_PROCESS, Caller
from ferserve.scheduling.resumable import ResumableStreams, ResumeKey
from ferserve.tracking.state import StateSettings, StreamState

ANNA, BERT = Caller("10.0.0.1"), Caller("10.0.0.2")


def _state() -> StreamState:
    return StreamState(StateSettings(("model",), 0, 0, 1, 1, strict_minimum=True), square_crops)


STATE_BYTES = _state().size_bytes


def _put(streams: ResumableStreams, caller: Caller, name: str) -> ResumeKey:
    key = ResumeKey.new(name, caller)
    streams.put(key, _state(), 1)
    return key


def test_a_stream_is_given_back_once() -> None:
    streams, state, key = ResumableStreams(EngineConfig()), _state(), ResumeKey.new("a", ANNA)
    streams.put(key, state, 7)
    _put(streams, ANNA, "b")
    found = streams.take(ResumeKey.of("a", ANNA, key.token))
    assert found is not None
    assert (found.state, found.last_frame_id) == (state, 7)
    assert streams.take(key) is None
    assert len(streams) == 1


def test_what_is_too_old_is_forgotten_with_the_next_stream() -> None:
    streams = ResumableStreams(EngineConfig(resume_s=0))
    for stream_id in "abc":
        key = _put(streams, ANNA, stream_id)
        assert len(streams) == 0
    assert streams.take(key) is None


@pytest.mark.parametrize("token", [b"", b"0" * 16, b"x"])
def test_a_stranger_who_knows_the_name_gets_nothing(token: bytes) -> None:
    streams = ResumableStreams(EngineConfig())
    key = _put(streams, ANNA, "gate")
    for caller in (ANNA, BERT):
        assert streams.take(ResumeKey.of("gate", caller, token)) is None
    assert streams.take(ResumeKey.of("door", ANNA, key.token)) is None
    assert streams.take(ResumeKey.of("gate", BERT, key.token)) is not None, "a client may come from another address"


def test_tokens_are_long_and_never_alike() -> None:
    tokens = {ResumeKey.new("gate", ANNA).token for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {16}
    assert ResumeKey.new("", ANNA).token == b""


def test_an_identity_that_somebody_vouches_for_needs_no_token() -> None:
    streams = ResumableStreams(EngineConfig())
    carla, dora = Caller("certificate carla", authenticated=True), Caller("certificate dora", authenticated=True)
    assert _put(streams, carla, "gate").token == b""
    assert streams.take(ResumeKey.of("gate", dora, b"")) is None
    assert streams.take(ResumeKey.of("gate", Caller("certificate carla"), b"")) is None
    assert streams.take(ResumeKey.of("gate", WITHIN_PROCESS, b"")) is None
    assert streams.take(ResumeKey.of("gate", carla, b"")) is not None


@pytest.mark.parametrize(
    "limits", [{"max_resumable_per_client": 3}, {"max_resumable_bytes_per_client": 4 * STATE_BYTES - 1}]
)
def test_a_client_that_keeps_too_many_makes_room_itself(limits: dict[str, int]) -> None:
    streams = ResumableStreams(EngineConfig(**limits))
    hers = _put(streams, ANNA, "gate")
    his = [_put(streams, BERT, str(number)) for number in range(1000)]
    assert len(streams) == 4
    assert streams.take(hers) is not None
    assert [key for key in his if streams.take(key)] == his[-3:]


@pytest.mark.parametrize("limits", [{"max_resumable": 5}, {"max_resumable_bytes": 5 * STATE_BYTES}])
def test_the_client_that_takes_most_makes_room_for_others(limits: dict[str, int]) -> None:
    streams = ResumableStreams(EngineConfig(**limits))
    his = [_put(streams, BERT, str(number)) for number in range(4)]
    hers = [_put(streams, ANNA, str(number)) for number in range(2)]
    assert len(streams) == 5
    assert streams.take(his[0]) is None
    assert all(streams.take(key) for key in his[1:] + hers)


def test_a_stream_that_comes_back_takes_its_room_once() -> None:
    streams, key = ResumableStreams(EngineConfig(max_resumable=2)), ResumeKey.new("gate", ANNA)
    other = _put(streams, BERT, "door")
    for number in range(10):
        streams.put(key, _state(), number)
    assert len(streams) == 2
    assert streams.take(other) is not None


def test_nothing_is_kept_if_nothing_may_be() -> None:
    for limit in ("max_resumable", "max_resumable_per_client", "max_resumable_bytes", "max_resumable_bytes_per_client"):
        streams = ResumableStreams(EngineConfig(**{limit: 0}))
        assert streams.take(_put(streams, ANNA, "gate")) is None
