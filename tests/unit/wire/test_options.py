"""Options to messages and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferserve.errors import InvalidOptionsError
from ferserve.options import MAX_TRACK_ID, Delivery, FrameOptions, Priority, StreamOptions
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.options import (
    frame_options_from_proto,
    frame_options_to_proto,
    stream_options_from_proto,
    stream_options_to_proto,
)

frame_options = st.builds(
    FrameOptions,
    model=st.text(),
    min_score=st.none() | st.floats(0, 1, width=32),
    max_faces=st.integers(0, 2**31),
    detection_side_px=st.integers(0, 65535),
)


@st.composite
def stream_options(draw: st.DrawFn) -> StreamOptions:
    interval = draw(st.integers(0, 1000))
    return StreamOptions(
        frame=draw(frame_options),
        delivery=draw(st.none() | st.sampled_from(Delivery)),
        smoothing_ms=draw(st.none() | st.floats(0, 60_000, width=32)),
        detection_interval=interval,
        min_detection_interval=draw(st.integers(0, interval or 1000)),
        priority=draw(st.sampled_from(Priority)),
        neutral_first_ms=draw(st.floats(0, 60_000, width=32)),
        frame_deadline_ms=draw(st.integers(0, 600_000)),
        stream_id=draw(st.text(max_size=128)),
        last_track_id=draw(st.integers(0, MAX_TRACK_ID)),
    )


@given(frame_options)
def test_options_of_a_call_come_back_as_they_were(options: FrameOptions) -> None:
    message = pb.ClassifyOptions.FromString(frame_options_to_proto(options).SerializeToString())
    assert frame_options_from_proto(message) == options


@given(stream_options())
def test_options_of_a_stream_come_back_as_they_were(options: StreamOptions) -> None:
    message = pb.StreamConfig.FromString(stream_options_to_proto(options).SerializeToString())
    assert stream_options_from_proto(message) == options


def test_an_empty_message_means_the_defaults() -> None:
    assert stream_options_from_proto(pb.StreamConfig()) == StreamOptions()


@pytest.mark.parametrize(
    ("field", "names"), [("delivery", "LATEST, EVERY"), ("priority", "LOW, NORMAL, HIGH")], ids=lambda value: str(value)
)
@pytest.mark.parametrize("number", [77, -1])
def test_a_choice_of_another_version_is_refused_with_the_names(field: str, names: str, number: int) -> None:
    message = pb.StreamConfig(**{field: number})
    with pytest.raises(InvalidOptionsError, match=rf"^{field} must be one of {names}, got number {number}$"):
        stream_options_from_proto(message)
