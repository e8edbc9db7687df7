"""Options as messages: what a client sends, and what a server sends back as the settings in force."""

from __future__ import annotations

from typing import Any

from ferserve.options import Delivery, FrameOptions, Priority, StreamOptions
from ferserve.v1 import emotion_pb2 as pb

DELIVERIES: dict[Delivery, Any] = {d: pb.Delivery.Value(f"DELIVERY_{d.name}") for d in Delivery}
PRIORITIES: dict[Priority, Any] = {p: pb.Priority.Value(f"PRIORITY_{p.name}") for p in Priority}


def frame_options_to_proto(options: FrameOptions) -> pb.ClassifyOptions:
    """The message of a call's options."""
    return pb.ClassifyOptions(
        model=options.model,
        min_score=options.min_score,
        max_faces=options.max_faces,
        detection_side_px=options.detection_side_px,
    )


def stream_options_to_proto(options: StreamOptions) -> pb.StreamConfig:
    """The message of a stream's options."""
    return pb.StreamConfig(
        options=frame_options_to_proto(options.frame),
        delivery=DELIVERIES[options.delivery],
        smoothing_ms=options.smoothing_ms,
        detection_interval=options.detection_interval,
        min_detection_interval=options.min_detection_interval,
        priority=PRIORITIES[options.priority],
        neutral_first_ms=options.neutral_first_ms,
        frame_deadline_ms=options.frame_deadline_ms,
        stream_id=options.stream_id,
    )
