"""Frames as messages."""

from __future__ import annotations

from ferserve.errors import InvalidFrameError
from ferserve.types import Crops, EncodedImage, Frame, Payload, PixelFormat, RawImage
from ferserve.types.arrays import float32_array, to_list
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.enums import EnumTable
from ferserve.wire.pixels import Pixels

_PIXEL_FORMATS = EnumTable(PixelFormat, pb.PixelFormat, "PIXEL_FORMAT")

FRAME_MESSAGES = (pb.ClassifyRequest, pb.ClassifyStreamRequest)
"""Messages whose large pixels may be left out: who reads them calls :func:`frame_from_proto`."""

_MAX_PIXEL_BYTES = 2**31 - 2**20
"""Per message: protobuf holds less than 2 GiB, and the other fields need some of it."""


def frame_to_proto(frame: Frame) -> pb.Frame:
    """The message of ``frame``; arrays are copied into it.

    Raises :class:`InvalidFrameError` if a number does not fit its field, or the pixels do not fit a message.
    """
    try:
        message = pb.Frame(frame_id=frame.frame_id, capture_time_ns=frame.capture_time_ns, neutral=frame.neutral)
    except ValueError:
        raise InvalidFrameError(
            f"frame_id must be from 0 to 2^64 - 1, and capture_time_ns have 64 bits, "
            f"got {frame.frame_id} and {frame.capture_time_ns}"
        ) from None
    payload = frame.payload
    size = frame.payload_bytes
    if size > _MAX_PIXEL_BYTES:
        raise InvalidFrameError(f"frame must have at most {_MAX_PIXEL_BYTES} bytes, got {size}; scale or compress it")
    if isinstance(payload, EncodedImage):
        message.encoded = payload.data
    elif isinstance(payload, RawImage):
        _fill_raw(message.raw, payload)
    else:
        _fill_crops(message.crops, payload)
    if frame.boxes is not None:
        message.boxes.SetInParent()  # present even if empty: detection is skipped
        message.boxes.boxes.extend([pb.Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1 in to_list(frame.boxes)])
    return message


def _fill_raw(message: pb.RawImage, image: RawImage) -> None:
    message.format = _PIXEL_FORMATS.number(image.pixel_format)
    message.width = image.width
    message.height = image.height
    message.stride_bytes = image.stride
    message.data = image.data if isinstance(image.data, bytes) else image.data.tobytes()


def _fill_crops(message: pb.Crops, crops: Crops) -> None:
    message.SetInParent()
    for image in crops.images:
        if isinstance(image, EncodedImage):
            message.images.add(encoded=image.data)
        else:
            _fill_raw(message.images.add().raw, image)


def frame_from_proto(message: pb.Frame, max_faces: int, pixels: Pixels | None = None) -> Frame:
    """The frame of ``message``, with those of its ``pixels`` that :func:`ferserve.wire.bounds.bounded` left out of it.

    Raises :class:`InvalidFrameError`, also for more than ``max_faces`` boxes or crops, before any of them is read:
    this runs on the event loop, and millions would hold up every other call.
    """
    boxes = None
    if message.HasField("boxes"):
        _require_at_most("frame.boxes", len(message.boxes.boxes), max_faces)
        flat = [(b.x0, b.y0, b.x1, b.y1) for b in message.boxes.boxes]
        boxes = float32_array(flat).reshape(-1, 4)
        if message.HasField("crops"):
            raise InvalidFrameError(
                "frame.boxes must be absent if frame.crops is set, got both; send boxes with the whole frame, "
                "or crops alone"
            )
    payload = _payload_from_proto(message, max_faces, pixels if pixels is not None and pixels.fields else None)
    return Frame(message.frame_id, payload, message.capture_time_ns, boxes, message.neutral)


def _payload_from_proto(message: pb.Frame, max_faces: int, pixels: Pixels | None) -> Payload:
    kind = message.WhichOneof("payload")
    if kind == "encoded":
        return EncodedImage(message.encoded if pixels is None else bytes(pixels.redeem(message.encoded)))
    if kind == "raw":
        return _raw_from_proto(message.raw, "frame.raw", pixels)
    if kind == "crops":
        _require_at_most("frame.crops", len(message.crops.images), max_faces)
        return _crops_from_proto(message.crops, pixels)
    raise InvalidFrameError("frame.payload must be encoded, raw or crops, got none")


def _require_at_most(field: str, count: int, limit: int) -> None:
    if count > limit:
        raise InvalidFrameError(f"{field} must be at most {limit}, got {count}; send them in parts")


def _crops_from_proto(message: pb.Crops, pixels: Pixels | None) -> Crops:
    images: list[EncodedImage | RawImage] = []
    for i, image in enumerate(message.images):
        kind = image.WhichOneof("image")
        if kind is None:
            raise InvalidFrameError(f"frame.crops[{i}] must be encoded or raw, got neither")
        if kind == "raw":
            images.append(_raw_from_proto(image.raw, f"frame.crops[{i}]", pixels))
        else:
            images.append(EncodedImage(image.encoded if pixels is None else bytes(pixels.redeem(image.encoded))))
    return Crops(tuple(images))


def _raw_from_proto(message: pb.RawImage, field: str, pixels: Pixels | None) -> RawImage:
    pixel_format = _PIXEL_FORMATS.get(message.format)
    if pixel_format is None:
        raise InvalidFrameError(f"{field}.format must be one of {_PIXEL_FORMATS.names}, got number {message.format}")
    data = message.data if pixels is None else pixels.redeem(message.data)
    return RawImage(pixel_format, message.width, message.height, data, message.stride_bytes)
