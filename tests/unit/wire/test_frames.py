"""Frames to messages and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ferserve.errors import InvalidFrameError
from ferserve.types import Crops, EncodedImage, Frame, PixelFormat, RawImage
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.frames import frame_from_proto, frame_to_proto

MAX_FACES = 4
UINT32 = st.integers(0, 2**32 - 1)

encoded_images = st.builds(EncodedImage, st.binary(max_size=40))
raw_images = st.builds(
    RawImage, st.sampled_from(PixelFormat), UINT32, UINT32, data=st.binary(max_size=40), stride=UINT32
)
images = encoded_images | raw_images
boxes = st.integers(0, MAX_FACES).flatmap(lambda n: arrays(np.float32, (n, 4)))
numbers = {
    "frame_id": st.integers(0, 2**64 - 1),
    "capture_time_ns": st.integers(-(2**63), 2**63 - 1),
    "neutral": st.booleans(),
}
whole_frames = st.builds(Frame, payload=images, boxes=st.none() | boxes, **numbers)
crop_frames = st.builds(
    Frame, payload=st.builds(Crops, st.lists(images, max_size=MAX_FACES).map(tuple)), boxes=st.none(), **numbers
)


@given(whole_frames | crop_frames)
def test_a_frame_comes_back_as_it_was(frame: Frame) -> None:
    message = pb.Frame.FromString(frame_to_proto(frame).SerializeToString())
    back = frame_from_proto(message, MAX_FACES)
    assert (back.frame_id, back.capture_time_ns, back.neutral) == (frame.frame_id, frame.capture_time_ns, frame.neutral)
    assert back.payload == frame.payload
    if frame.boxes is None:
        assert back.boxes is None
    else:
        np.testing.assert_array_equal(back.boxes, frame.boxes, strict=True)


@given(st.integers(1, 5), st.integers(1, 5), st.data())
def test_pixels_travel_in_row_order_for_any_strides(rows: int, cols: int, data: st.DataObject) -> None:
    every_other = data.draw(arrays(np.uint8, (rows, 2 * cols)))[:, ::2]
    for pixels in (every_other, memoryview(np.ascontiguousarray(every_other))):
        message = frame_to_proto(Frame(1, RawImage(PixelFormat.GRAY8, cols, rows, pixels)))
        assert list(message.raw.data) == np.ravel(every_other).tolist()


@pytest.mark.parametrize("number", [0, len(PixelFormat) + 1, 2**31 - 1])
@pytest.mark.parametrize("where", ["raw", "crops"])
def test_a_pixel_format_of_another_version_is_refused_with_the_names(number: int, where: str) -> None:
    raw = pb.RawImage(format=number, width=1, height=1, data=b"x")  # type: ignore[arg-type]
    whole = pb.Frame(raw=raw) if where == "raw" else pb.Frame(crops=pb.Crops(images=[pb.Image(raw=raw)]))
    with pytest.raises(
        InvalidFrameError, match=rf"format must be one of GRAY8, .*{[*PixelFormat][-1].name}, got number {number}$"
    ):
        frame_from_proto(whole, MAX_FACES)


@pytest.mark.parametrize("field", ["boxes", "crops"])
def test_more_faces_than_the_limit_are_refused(field: str) -> None:
    many = (
        {"boxes": pb.Boxes(boxes=[pb.Box()] * 5)} if field == "boxes" else {"crops": pb.Crops(images=[pb.Image()] * 5)}
    )
    with pytest.raises(InvalidFrameError, match=rf"frame.{field} must be at most 4, got 5"):
        frame_from_proto(pb.Frame(**many), MAX_FACES)


@pytest.mark.parametrize(("frame_id", "time_ns"), [(-1, 0), (2**64, 0), (1, 2**63), (1, -(2**63) - 1)])
def test_numbers_that_no_message_holds_are_refused(frame_id: int, time_ns: int) -> None:
    with pytest.raises(InvalidFrameError, match=f"got {frame_id} and {time_ns}"):
        frame_to_proto(Frame(frame_id, EncodedImage(b"x"), time_ns))
