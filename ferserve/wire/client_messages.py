"""From our types to protobuf and back, as a client needs it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError
from ferserve.types import (
    Crops,
    DropReason,
    EncodedImage,
    Face,
    Frame,
    FrameFault,
    FrameResult,
    HeadResult,
    ModelDescription,
    Payload,
    PixelFormat,
    RawImage,
    Timings,
)
from ferserve.v1 import emotion_pb2 as pb

_PIXEL_FORMATS: dict[PixelFormat, Any] = {f: pb.PixelFormat.Value(f"PIXEL_FORMAT_{f.name}") for f in PixelFormat}
_DROP_REASONS = {pb.Dropped.Reason.Value(f"REASON_{r.name}"): r for r in DropReason}

_MOST_BYTES = 2**31 - 2**20
"""Of pixels in one message: protobuf holds less than 2 GiB, and other fields need some of it."""

HeadLabels = dict[str, tuple[str, ...]]


def frame_to_proto(frame: Frame) -> pb.Frame:
    """The message of one frame; arrays are copied into it.

    Raises :class:`InvalidFrameError` for wild numbers and for more than a message holds.
    """
    try:
        message = pb.Frame(frame_id=frame.frame_id, capture_time_ns=frame.capture_time_ns, neutral=frame.neutral)
    except ValueError:
        raise InvalidFrameError(
            f"frame_id must be from 0 to 2^64 - 1, and capture_time_ns have 64 bits, "
            f"got {frame.frame_id} and {frame.capture_time_ns}"
        ) from None
    payload = frame.payload
    size = _bytes_of(payload)
    if size > _MOST_BYTES:
        raise InvalidFrameError(f"frame must have at most {_MOST_BYTES} bytes, got {size}; scale or compress it")
    if isinstance(payload, EncodedImage):
        message.encoded = payload.data
    elif isinstance(payload, RawImage):
        _fill_raw(message.raw, payload)
    else:
        _fill_crops(message.crops, payload)
    if frame.boxes is not None:
        message.boxes.SetInParent()  # present even if empty: detection is skipped
        message.boxes.boxes.extend([pb.Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1 in frame.boxes.tolist()])
    return message


def _bytes_of(payload: Payload) -> int:
    if isinstance(payload, Crops):
        return sum(_bytes_of(image) for image in payload.images)
    return payload.data.nbytes if isinstance(payload.data, np.ndarray) else len(payload.data)


def _fill_raw(message: pb.RawImage, image: RawImage) -> None:
    message.format = _PIXEL_FORMATS[image.pixel_format]
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


def result_from_proto(message: pb.FrameResult, labels: HeadLabels) -> FrameResult:
    """One result; ``labels`` holds the ordered labels of each head of the model."""
    outcome = message.WhichOneof("outcome")
    fault = FrameFault(message.fault.code, message.fault.message) if outcome == "fault" else None
    # A reason of a newer server counts as the most general one.
    dropped = _DROP_REASONS.get(message.dropped.reason, DropReason.OVERLOADED) if outcome == "dropped" else None
    faces = tuple([_face_from_proto(face, labels) for face in message.faces.faces]) if outcome == "faces" else ()
    return FrameResult(
        frame_id=message.frame_id,
        capture_time_ns=message.capture_time_ns,
        faces=faces,
        fault=fault,
        dropped=dropped,
        timings=_timings_from_proto(message.timings),
        model_name=message.model_name,
        model_version=message.model_version,
        width=message.width,
        height=message.height,
    )


def _face_from_proto(message: pb.Face, labels: HeadLabels) -> Face:
    box = message.box
    landmarks: NDArray[np.float32] | None = None
    if message.landmarks:
        landmarks = np.array([(p.x, p.y) for p in message.landmarks], np.float32)
    return Face(
        box=(box.x0, box.y0, box.x1, box.y1),
        score=message.score,
        heads=tuple([_head_from_proto(head, labels) for head in message.heads]),
        landmarks=landmarks,
        track_id=message.track_id,
    )


def _head_from_proto(message: pb.HeadOutput, labels: HeadLabels) -> HeadResult:
    raw = np.array(message.raw_probabilities, np.float32) if message.raw_probabilities else None
    ordered = labels[message.name]
    return HeadResult(
        name=message.name,
        labels=ordered,
        probabilities=np.array(message.probabilities, np.float32),
        top=ordered.index(message.label),
        raw_probabilities=raw,
    )


def _timings_from_proto(message: pb.Timings) -> Timings:
    return Timings(
        queue_ms=message.queue_ms,
        decode_ms=message.decode_ms,
        detect_ms=message.detect_ms,
        preprocess_ms=message.preprocess_ms,
        infer_ms=message.infer_ms,
        total_ms=message.total_ms,
    )


def model_from_proto(message: pb.Model) -> ModelDescription:
    """What the server said of a model."""
    return ModelDescription(
        name=message.name,
        version=message.version,
        description=message.description,
        heads={head.name: tuple(head.labels) for head in message.heads},
        input_width=message.input_width,
        input_height=message.input_height,
        input_color=message.input_color,
        license=message.license,
        trained_on=tuple(message.trained_on),
        metrics=dict(message.metrics),
        runs_on=message.runs_on,
        is_default=message.is_default,
        sha256=message.sha256,
    )
