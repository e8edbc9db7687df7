"""Messages of many parts are refused before they are parsed; frames of any size are not."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from ferserve.errors import InvalidFrameError, StreamProtocolError
from ferserve.inference import service_pb2 as inference_pb2
from ferserve.types import Crops, EncodedImage, RawImage
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.bounds import MAX_OTHER_BYTES, bounded
from ferserve.wire.frames import frame_from_proto
from ferserve.wire.pixels import Pixels

parse_request = bounded(pb.ClassifyRequest.FromString)
PIXELS = np.random.default_rng(0).bytes(2_000_000)


def _varint(value: int) -> bytes:
    parts = b""
    while value > 127:
        parts += bytes((value & 127 | 128,))
        value >>= 7
    return parts + bytes((value,))


def _field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _frame(*fields: bytes) -> bytes:
    return _field(1, b"".join(fields))


@pytest.mark.parametrize(
    "frame",
    [
        pb.Frame(frame_id=2**64 - 1, encoded=PIXELS, capture_time_ns=-1, neutral=True),
        pb.Frame(raw=pb.RawImage(width=2, height=3, data=PIXELS), boxes=pb.Boxes(boxes=[pb.Box(x1=1)] * 9000)),
        pb.Frame(crops=pb.Crops(images=[pb.Image(encoded=PIXELS[: 50 * i]) for i in range(1000)])),
    ],
)
def test_pixels_do_not_count(frame: pb.Frame) -> None:
    request = pb.ClassifyRequest(frame=frame, options=pb.ClassifyOptions(model="m"))
    assert parse_request(request.SerializeToString()) == request


def test_packed_floats_are_pixels_and_packed_numbers_are_not() -> None:
    parse = bounded(inference_pb2.ModelInferRequest.FromString)
    contents = inference_pb2.InferTensorContents(fp32_contents=[0.5] * 500_000)
    request = inference_pb2.ModelInferRequest(model_name="m", inputs=[{"name": "input", "contents": contents}])
    assert parse(request.SerializeToString()) == request
    request.inputs[0].contents.bool_contents.extend([True] * 500_000)
    with pytest.raises(StreamProtocolError, match="messages must have at most"):
        parse(request.SerializeToString())


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(_frame(_field(6, b"\x0a\0" * 1_000_000)), id="a million empty boxes"),
        pytest.param(_frame(_field(5, b"\x0a\0" * 200_000)), id="empty crops"),
        pytest.param(_frame(_field(5, _field(1, b"\x0a\0" * 200_000))), id="one image many times"),
        pytest.param(_frame(b"\x1a\0" * 200_000), id="empty pixels many times"),
        pytest.param(_frame(b"\x08\x01" * 200_000), id="one id many times"),
        pytest.param(_frame(_field(3, PIXELS)) + _field(2, _field(1, b"a" * 1_000_000)), id="a long name"),
        pytest.param(_frame(_field(99, PIXELS)), id="a large unknown field"),
        pytest.param(_frame(_field(4, b"\x12\0" * 200_000)), id="pixels of another type"),
    ],
)
def test_other_parts_are_bounded(message: bytes) -> None:
    with pytest.raises(StreamProtocolError, match="at most 262144 bytes in 8192 fields besides their pixels"):
        parse_request(message)


@pytest.mark.parametrize(
    "message",
    [b"\x0b" * 300_000, b"\xff" * 300_000, _field(1, PIXELS)[:-1], b"\x0a" + b"\xff" * 300_000, _frame(PIXELS)],
)
def test_garbled_messages_are_not_read_to_their_end(message: bytes) -> None:
    with pytest.raises((DecodeError, StreamProtocolError)):
        parse_request(message)


def test_a_message_without_pixels_is_bounded_too() -> None:
    parse = bounded(health_pb2.HealthCheckRequest.FromString)
    assert parse(_field(1, b"ferserve")).service == "ferserve"
    with pytest.raises(StreamProtocolError):
        parse(_field(1, b"a" * (MAX_OTHER_BYTES + 1)))


@given(st.binary(max_size=60), st.integers(0, 5))
def test_whatever_is_refused_is_no_message_or_too_large(garbage: bytes, at: int) -> None:
    """Fields behind pixels that are large enough to be walked over."""
    message = _field(1, _field(3, PIXELS[: MAX_OTHER_BYTES + 1]) + garbage[:at]) + garbage[at:]
    try:
        expected = pb.ClassifyRequest.FromString(message)
    except DecodeError:
        with pytest.raises(DecodeError):
            parse_request(message)
        return
    with contextlib.suppress(DecodeError):  # an unknown group, which protobuf skips
        assert parse_request(message) == expected
        pixels = Pixels()
        found = bounded(pb.ClassifyRequest.FromString, pixels)(message)
        assert _outcome(found.frame, pixels) == _outcome(expected.frame, pixels)
        assert found.options == expected.options


def _outcome(frame: pb.Frame, pixels: Pixels) -> object:
    try:
        read = frame_from_proto(frame, 16, pixels)
    except InvalidFrameError as error:
        return str(error)
    return repr(read), _pixels_of(read.payload)


def _pixels_of(payload: EncodedImage | RawImage | Crops) -> list[bytes]:
    images = payload.images if isinstance(payload, Crops) else (payload,)
    return [bytes(memoryview(image.data)) for image in images]


@pytest.mark.parametrize(
    "frame",
    [
        pb.Frame(frame_id=7, encoded=PIXELS),
        pb.Frame(raw=pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=2, height=3, data=PIXELS, stride_bytes=5)),
        pb.Frame(
            crops=pb.Crops(
                images=[
                    pb.Image(encoded=PIXELS),
                    pb.Image(encoded=b"small"),
                    pb.Image(raw=pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, data=PIXELS[:70_000])),
                ]
            )
        ),
    ],
)
def test_large_pixels_stay_where_they_came(frame: pb.Frame) -> None:
    pixels = Pixels()
    data = pb.ClassifyRequest(frame=frame, options=pb.ClassifyOptions(model="m")).SerializeToString()
    request = bounded(pb.ClassifyRequest.FromString, pixels)(data)
    assert request.ByteSize() < 300
    assert request.options.model == "m"
    left, expected = frame_from_proto(request.frame, 16, pixels), frame_from_proto(frame, 16)
    assert _pixels_of(left.payload) == _pixels_of(expected.payload)
    assert repr(left) == repr(expected)
    if isinstance(left.payload, RawImage):
        assert isinstance(left.payload.data, memoryview)
        assert left.payload.data.obj is data


def test_of_several_pixels_those_count_that_protobuf_takes() -> None:
    """The last one of a field, and of a oneof; messages that come in parts are put together."""
    first, last = PIXELS[:100_000], PIXELS[100_000:]
    raw = _field(5, last) + b"\x08\x01"
    for fields in (
        [_field(3, first), _field(3, last)],
        [_field(4, raw), _field(3, last)],
        [_field(3, first), _field(4, _field(5, first)), _field(4, raw)],
    ):
        pixels, data = Pixels(), _frame(*fields) + _frame(b"\x08\x07")
        found = frame_from_proto(bounded(pb.ClassifyRequest.FromString, pixels)(data).frame, 16, pixels)
        expected = frame_from_proto(pb.ClassifyRequest.FromString(data).frame, 16)
        assert _pixels_of(found.payload) == _pixels_of(expected.payload) == [last]
        assert found.frame_id == 7


def test_nobody_can_hand_in_a_ticket() -> None:
    pixels = Pixels()
    parse = bounded(pb.ClassifyRequest.FromString, pixels)
    ticket = parse(_frame(_field(3, PIXELS))).frame.encoded
    assert bytes(pixels.redeem(ticket)) == PIXELS
    forged = bytes(16) + ticket[16:]
    assert _pixels_of(frame_from_proto(pb.Frame(encoded=forged), 16, pixels).payload) == [forged]
    pixels.clear()
    with pytest.raises(IndexError):
        pixels.redeem(ticket)
