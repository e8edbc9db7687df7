"""Options as messages: a client asks for them, and a server sends back the settings in force."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

from ferserve.errors import InvalidOptionsError
from ferserve.options import Delivery, FrameOptions, Priority, StreamOptions
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.enums import EnumTable

E = TypeVar("E", bound=Enum)
Default = TypeVar("Default")

_DELIVERIES = EnumTable(Delivery, pb.Delivery, "DELIVERY")
_PRIORITIES = EnumTable(Priority, pb.Priority, "PRIORITY")


def frame_options_to_proto(options: FrameOptions) -> pb.ClassifyOptions:
    """The message of a call's options."""
    return pb.ClassifyOptions(
        model=options.model,
        min_score=options.min_score,
        max_faces=options.max_faces,
        detection_side_px=options.detection_side_px,
        use_truncated=options.use_truncated,
        models=options.models,
    )


def frame_options_from_proto(message: pb.ClassifyOptions) -> FrameOptions:
    """The options of a call; raises :class:`InvalidOptionsError`."""
    min_score = message.min_score if message.HasField("min_score") else None
    return FrameOptions(
        message.model,
        min_score,
        message.max_faces,
        message.detection_side_px,
        message.use_truncated,
        tuple(message.models),
    )


def stream_options_to_proto(options: StreamOptions) -> pb.StreamConfig:
    """The message of a stream's options."""
    return pb.StreamConfig(
        options=frame_options_to_proto(options.frame),
        delivery=_DELIVERIES.number(options.delivery) if options.delivery else pb.DELIVERY_UNSPECIFIED,
        smoothing_ms=options.smoothing_ms,
        detection_interval=options.detection_interval,
        min_detection_interval=options.min_detection_interval,
        priority=_PRIORITIES.number(options.priority),
        neutral_first_ms=options.neutral_first_ms,
        frame_deadline_ms=options.frame_deadline_ms,
        stream_id=options.stream_id,
        last_track_id=options.last_track_id,
    )


def stream_options_from_proto(message: pb.StreamConfig) -> StreamOptions:
    """The options of a stream; raises :class:`InvalidOptionsError`, also for numbers that no enum here has."""
    return StreamOptions(
        frame=frame_options_from_proto(message.options),
        delivery=_choice("delivery", message.delivery, _DELIVERIES, None),
        smoothing_ms=message.smoothing_ms if message.HasField("smoothing_ms") else None,
        detection_interval=message.detection_interval,
        min_detection_interval=message.min_detection_interval,
        priority=_choice("priority", message.priority, _PRIORITIES, Priority.NORMAL),
        neutral_first_ms=message.neutral_first_ms,
        frame_deadline_ms=message.frame_deadline_ms,
        stream_id=message.stream_id,
        last_track_id=message.last_track_id,
    )


def _choice(field: str, number: int, table: EnumTable[E], default: Default) -> E | Default:
    if number == 0:  # UNSPECIFIED, in every enum of the protocol
        return default
    chosen = table.get(number)
    if chosen is None:
        raise InvalidOptionsError(f"{field} must be one of {table.names}, got number {number}")
    return chosen
