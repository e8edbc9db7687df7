"""From protobuf to our types and back. The only place of the server that knows both."""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError, InvalidOptionsError
from ferserve.options import Delivery, FrameOptions, Priority, StreamOptions
from ferserve.types import (
    Crops,
    DropReason,
    EncodedImage,
    Face,
    Frame,
    FrameResult,
    HeadResult,
    ModelDescription,
    PixelFormat,
    RawImage,
    Timings,
)
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.options import DELIVERIES, PRIORITIES

E = TypeVar("E", bound=Enum)

_PIXEL_FORMATS = {pb.PixelFormat.Value(f"PIXEL_FORMAT_{f.name}"): f for f in PixelFormat}
_DELIVERIES = {pb.DELIVERY_UNSPECIFIED: Delivery.LATEST, **{number: d for d, number in DELIVERIES.items()}}
_PRIORITIES = {pb.PRIORITY_UNSPECIFIED: Priority.NORMAL, **{number: p for p, number in PRIORITIES.items()}}
_DROP_REASONS: dict[DropReason, Any] = {r: pb.Dropped.Reason.Value(f"REASON_{r.name}") for r in DropReason}


def frame_from_proto(message: pb.Frame, most_faces: int) -> Frame:
    """Raises :class:`InvalidFrameError` where the message says something that a frame cannot be.

    So many boxes or crops at most are looked at: this runs on the event loop, where millions would hold up everybody.
    """
    kind = message.WhichOneof("payload")
    boxes: NDArray[np.float32] | None = None
    payload: EncodedImage | RawImage | Crops
    if message.HasField("boxes"):
        _require_few("frame.boxes", len(message.boxes.boxes), most_faces)
        flat = [(b.x0, b.y0, b.x1, b.y1) for b in message.boxes.boxes]
        boxes = np.array(flat, np.float32).reshape(-1, 4)
    if kind == "encoded":
        payload = EncodedImage(message.encoded)
    elif kind == "raw":
        payload = _raw_from_proto(message.raw, "frame.raw")
    elif kind == "crops":
        if boxes is not None:
            raise InvalidFrameError(
                "frame.boxes must be absent where frame.crops is set, got both; send boxes with the whole frame, "
                "or crops alone"
            )
        _require_few("frame.crops", len(message.crops.images), most_faces)
        payload = _crops_from_proto(message.crops)
    else:
        raise InvalidFrameError("frame.payload must be encoded, raw or crops, got none")
    return Frame(message.frame_id, payload, message.capture_time_ns, boxes, message.neutral)


def _require_few(where: str, count: int, most: int) -> None:
    if count > most:
        raise InvalidFrameError(f"{where} must be at most {most}, got {count}; send them in parts")


def _crops_from_proto(message: pb.Crops) -> Crops:
    images: list[EncodedImage | RawImage] = []
    for i, image in enumerate(message.images):
        kind = image.WhichOneof("image")
        if kind is None:
            raise InvalidFrameError(f"frame.crops[{i}] must be encoded or raw, got neither")
        is_raw = kind == "raw"
        images.append(_raw_from_proto(image.raw, f"frame.crops[{i}]") if is_raw else EncodedImage(image.encoded))
    return Crops(tuple(images))


def _raw_from_proto(message: pb.RawImage, where: str) -> RawImage:
    pixel_format = _PIXEL_FORMATS.get(message.format)
    if pixel_format is None:
        names = ", ".join(f.name for f in PixelFormat)
        raise InvalidFrameError(f"{where}.format must be one of {names}, got number {message.format}")
    return RawImage(pixel_format, message.width, message.height, message.data, message.stride_bytes)


def frame_options_from_proto(message: pb.ClassifyOptions) -> FrameOptions:
    """Raises :class:`InvalidOptionsError`."""
    min_score = message.min_score if message.HasField("min_score") else None
    return FrameOptions(message.model, min_score, message.max_faces, message.detection_side_px)


def stream_options_from_proto(message: pb.StreamConfig) -> StreamOptions:
    """Raises :class:`InvalidOptionsError`."""
    return StreamOptions(
        frame=frame_options_from_proto(message.options),
        delivery=_choice("delivery", message.delivery, _DELIVERIES),
        smoothing_ms=message.smoothing_ms if message.HasField("smoothing_ms") else None,
        detection_interval=message.detection_interval,
        min_detection_interval=message.min_detection_interval,
        priority=_choice("priority", message.priority, _PRIORITIES),
        neutral_first_ms=message.neutral_first_ms,
        frame_deadline_ms=message.frame_deadline_ms,
        stream_id=message.stream_id,
    )


def _choice(name: str, number: int, choices: dict[int, E]) -> E:
    if number not in choices:
        names = ", ".join(choice.name for choice in dict.fromkeys(choices.values()))
        raise InvalidOptionsError(f"config.{name} must be one of {names}, got number {number}")
    return choices[number]


def result_to_proto(result: FrameResult) -> pb.FrameResult:
    """Exactly one outcome: the fault, the reason of the drop, or the faces."""
    message = pb.FrameResult(
        frame_id=result.frame_id,
        capture_time_ns=result.capture_time_ns,
        timings=_timings_to_proto(result.timings),
        model_name=result.model_name,
        model_version=result.model_version,
        width=result.width,
        height=result.height,
    )
    if result.fault is not None:
        message.fault.code = result.fault.code
        message.fault.message = result.fault.message
    elif result.dropped is not None:
        message.dropped.reason = _DROP_REASONS[result.dropped]
    else:
        message.faces.faces.extend([_face_to_proto(face) for face in result.faces])
        message.faces.SetInParent()
    return message


def _face_to_proto(face: Face) -> pb.Face:
    """Parts as mappings, which protobuf reads in two thirds of the time that it takes to copy messages."""
    x0, y0, x1, y1 = face.box
    points = () if face.landmarks is None else face.landmarks.tolist()
    return pb.Face(
        track_id=face.track_id,
        box={"x0": x0, "y0": y0, "x1": x1, "y1": y1},
        landmarks=[{"x": x, "y": y} for x, y in points],
        score=face.score,
        heads=[_head_to_mapping(head) for head in face.heads],
    )


def _head_to_mapping(head: HeadResult) -> dict[str, Any]:
    probabilities, raw = head.probabilities.tolist(), head.raw_probabilities
    return {
        "name": head.name,
        "probabilities": probabilities,
        "label": head.label,
        "confidence": probabilities[head.top],
        "raw_probabilities": () if raw is None else raw.tolist(),
    }


def _timings_to_proto(timings: Timings) -> pb.Timings:
    return pb.Timings(
        queue_ms=timings.queue_ms,
        decode_ms=timings.decode_ms,
        detect_ms=timings.detect_ms,
        preprocess_ms=timings.preprocess_ms,
        infer_ms=timings.infer_ms,
        total_ms=timings.total_ms,
    )


def model_to_proto(model: ModelDescription) -> pb.Model:
    """The message of a model's description."""
    return pb.Model(
        name=model.name,
        version=model.version,
        description=model.description,
        heads=[pb.Head(name=name, labels=labels) for name, labels in model.heads.items()],
        input_width=model.input_width,
        input_height=model.input_height,
        input_color=model.input_color,
        license=model.license,
        trained_on=model.trained_on,
        metrics=model.metrics,
        runs_on=model.runs_on,
        is_default=model.is_default,
        sha256=model.sha256,
    )
