"""Requests put together from bytes must be what protobuf itself would have sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ferserve.bench.clips import Clip
from ferserve.bench.messages import config_request, crop_bodies, frame_bodies, frame_request
from ferserve.v1 import emotion_pb2 as pb


@given(
    frame_id=st.integers(1, 2**63), time_ns=st.integers(0, 2**62), jpeg=st.binary(max_size=70_000), boxes=st.booleans()
)
def test_a_frame_says_what_it_was_given(frame_id: int, time_ns: int, jpeg: bytes, boxes: bool) -> None:
    (body,) = frame_bodies(Clip((jpeg,), (((1.0, 2.0, 3.0, 4.0),),), 10, 10), boxes=boxes)
    sent = b"".join(frame_request(frame_id, time_ns, body))
    wanted = pb.Frame(frame_id=frame_id, capture_time_ns=time_ns, encoded=jpeg)
    if boxes:
        wanted.boxes.boxes.add(x0=1, y0=2, x1=3, y1=4)
    assert pb.ClassifyStreamRequest.FromString(sent) == pb.ClassifyStreamRequest(frame=wanted)


def test_crops_travel_as_raw_grey_images() -> None:
    bodies = crop_bodies([b"abcd", b"efgh", b"ijkl"], 2, 2)
    frame = pb.Frame.FromString(bodies[2])
    assert [image.raw.data for image in frame.crops.images] == [b"ijkl", b"abcd"]
    assert {(i.raw.width, i.raw.height, i.raw.format) for i in frame.crops.images} == {(2, 2, pb.PIXEL_FORMAT_GRAY8)}


def test_the_config_leaves_open_what_was_not_asked_for() -> None:
    config = pb.ClassifyStreamRequest.FromString(config_request(model="", delivery="every")).config
    assert config.delivery == pb.DELIVERY_EVERY
    assert not config.HasField("smoothing_ms")
