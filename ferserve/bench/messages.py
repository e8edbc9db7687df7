"""Messages of the API as bytes, most of each serialised before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ferserve.bench.clips import BoxTuple, Clip
from ferserve.v1 import emotion_pb2 as pb

METHOD = "/ferserve.v1.EmotionService/ClassifyStream"
_FRAME_TAG = bytes((pb.ClassifyStreamRequest.DESCRIPTOR.fields_by_name["frame"].number << 3 | 2,))


def config_request(
    *, model: str, delivery: str, detection_interval: int = 0, smoothing_ms: float | None = None
) -> bytes:
    """The first message of a stream; ``delivery`` is ``latest`` or ``every``."""
    config = pb.StreamConfig(
        options=pb.ClassifyOptions(model=model),
        delivery=f"DELIVERY_{delivery.upper()}",
        detection_interval=detection_interval,
        smoothing_ms=smoothing_ms,
    )
    return pb.ClassifyStreamRequest(config=config).SerializeToString()


def frame_bodies(clip: Clip, *, boxes: bool) -> tuple[bytes, ...]:
    """For every frame of ``clip`` a ``Frame`` without id and time, with its boxes if ``boxes``."""
    return tuple(
        pb.Frame(encoded=frame, boxes=_boxes(faces) if boxes else None).SerializeToString()
        for frame, faces in zip(clip.frames, clip.boxes, strict=True)
    )


def crop_bodies(crops: Sequence[bytes], side: int, batch: int) -> tuple[bytes, ...]:
    """A ``Frame`` of ``batch`` raw grey crops of ``side`` x ``side`` px for every crop, without id and time."""
    images = [
        pb.Image(raw=pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=side, height=side, data=crop)) for crop in crops
    ]
    return tuple(
        pb.Frame(crops=pb.Crops(images=[images[(i + j) % len(images)] for j in range(batch)])).SerializeToString()
        for i in range(len(images))
    )


def frame_request(frame_id: int, capture_time_ns: int, body: bytes) -> tuple[bytes, bytes]:
    """The request that sends ``body``, in two pieces, so that its many bytes are not copied.

    Serialised messages of one type, one after the other, are read as one message (protobuf's encoding guide, "last one
    wins"): id and time in front of the rest of the frame.
    """
    head = pb.Frame(frame_id=frame_id, capture_time_ns=capture_time_ns).SerializeToString()
    return _FRAME_TAG + _varint(len(head) + len(body)) + head, body


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _boxes(faces: Iterable[BoxTuple]) -> pb.Boxes:
    return pb.Boxes(boxes=[pb.Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1 in faces])
