"""Results as messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from ferserve.types import DropReason, Face, FrameFault, FrameResult, HeadPose, HeadResult, Timings
from ferserve.types.arrays import float32_array
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.enums import EnumTable

_DROP_REASONS = EnumTable(DropReason, pb.Dropped.Reason, "REASON")

HeadLabels: TypeAlias = Mapping[str, tuple[str, ...]]
"""The ordered labels of a model by the name of the head; a message gives probabilities without their labels."""


def result_to_proto(result: FrameResult, models: Iterable[pb.Model] = ()) -> pb.FrameResult:
    """The message of ``result``, with exactly one outcome: the fault, the reason for the drop, or the faces.

    ``models`` are those that the client does not know yet.
    """
    message = pb.FrameResult(
        frame_id=result.frame_id,
        capture_time_ns=result.capture_time_ns,
        timings=_timings_to_proto(result.timings),
        model_name=result.model_name,
        model_version=result.model_version,
        width=result.width,
        height=result.height,
        degraded=result.degraded,
        models=models,
    )
    if result.fault is not None:
        message.fault.code = result.fault.code
        message.fault.message = result.fault.message
    elif result.dropped is not None:
        message.dropped.reason = _DROP_REASONS.number(result.dropped)
    else:
        message.faces.faces.extend([_face_to_proto(face) for face in result.faces])
        message.faces.SetInParent()
    return message


def result_from_proto(message: pb.FrameResult, labels: HeadLabels) -> FrameResult:
    """The result of ``message``; a reason that only newer servers know counts as :attr:`DropReason.OVERLOADED`.

    Results compute ``certainty`` and ``sure`` themselves: all that these depend on arrives unchanged.
    """
    outcome = message.WhichOneof("outcome")
    fault = FrameFault(message.fault.code, message.fault.message) if outcome == "fault" else None
    reason = (_DROP_REASONS.get(message.dropped.reason) or DropReason.OVERLOADED) if outcome == "dropped" else None
    faces = tuple([_face_from_proto(face, labels) for face in message.faces.faces]) if outcome == "faces" else ()
    return FrameResult(
        frame_id=message.frame_id,
        capture_time_ns=message.capture_time_ns,
        faces=faces,
        fault=fault,
        dropped=reason,
        timings=_timings_from_proto(message.timings),
        model_name=message.model_name,
        model_version=message.model_version,
        width=message.width,
        height=message.height,
        degraded=message.degraded,
    )


def _face_to_proto(face: Face) -> pb.Face:
    """The message of ``face``; protobuf reads mappings in two thirds of the time that it takes to copy messages."""
    x0, y0, x1, y1 = face.box
    points = () if face.landmarks is None else face.landmarks.tolist()
    pose = face.head_pose
    return pb.Face(
        track_id=face.track_id,
        box={"x0": x0, "y0": y0, "x1": x1, "y1": y1},
        landmarks=[{"x": x, "y": y} for x, y in points],
        score=face.score,
        heads=[_head_to_mapping(head) for head in face.heads],
        certainty=face.certainty,
        sure=face.sure,
        head_pose=None if pose is None else {"yaw": pose.yaw, "pitch": pose.pitch, "roll": pose.roll},
        landmarks_age_ms=face.landmarks_age_ms,
    )


def _face_from_proto(message: pb.Face, labels: HeadLabels) -> Face:
    box = message.box
    points = [(p.x, p.y) for p in message.landmarks]
    return Face(
        box=(box.x0, box.y0, box.x1, box.y1),
        score=message.score,
        heads=tuple([_head_from_proto(head, labels) for head in message.heads]),
        landmarks=float32_array(points) if points else None,
        track_id=message.track_id,
        landmarks_age_ms=message.landmarks_age_ms,
        head_pose=_head_pose_from_proto(message.head_pose) if message.HasField("head_pose") else None,
    )


def _head_pose_from_proto(message: pb.HeadPose) -> HeadPose:
    return HeadPose(message.yaw, message.pitch, message.roll)


def _head_to_mapping(head: HeadResult) -> dict[str, Any]:
    probabilities, raw = head.probabilities.tolist(), head.raw_probabilities
    top = head.leader(head.probabilities) if head.reserved else probabilities.index(max(probabilities))
    return {
        "name": head.name,
        "probabilities": probabilities,
        "label": head.label,
        "confidence": probabilities[head.label_index],
        "raw_probabilities": () if raw is None else raw.tolist(),
        "top": head.labels[top],
        "top_confidence": probabilities[top],
    }


def _head_from_proto(message: pb.HeadOutput, labels: HeadLabels) -> HeadResult:
    raw = float32_array(message.raw_probabilities) if message.raw_probabilities else None
    ordered = labels[message.name]
    probabilities = list(message.probabilities)
    return HeadResult(
        name=message.name,
        labels=ordered,
        probabilities=float32_array(probabilities),
        label_index=ordered.index(message.label),
        reserved=_ahead_of(ordered.index(message.top), probabilities) if message.top else frozenset(),
        raw_probabilities=raw,
    )


def _ahead_of(top: int, probabilities: list[float]) -> frozenset[int]:
    """Indices of the labels before ``top`` in the order of probability: the server passed them over as reserved."""
    least = probabilities[top]
    if probabilities.index(max(probabilities)) == top:
        return frozenset()
    return frozenset(i for i, p in enumerate(probabilities) if p > least or (p == least and i < top))


def _timings_to_proto(timings: Timings) -> pb.Timings:
    return pb.Timings(
        queue_ms=timings.queue_ms,
        decode_ms=timings.decode_ms,
        detect_ms=timings.detect_ms,
        preprocess_ms=timings.preprocess_ms,
        infer_ms=timings.infer_ms,
        total_ms=timings.total_ms,
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
