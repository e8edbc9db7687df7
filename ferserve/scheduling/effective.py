"""Options of calls and streams, with the engine's defaults filled in and its limits kept."""

from __future__ import annotations

import dataclasses

from ferserve.config import EngineConfig
from ferserve.errors import InvalidOptionsError
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.tracking.state import StateSettings


def effective_frame(options: FrameOptions, config: EngineConfig, default_model: str) -> FrameOptions:
    """``options`` of a frame, which ``default_model`` answers if they name no other.

    Raises :class:`InvalidOptionsError` beyond the limits.
    """
    if options.detection_side_px > config.max_detection_side_px:
        raise InvalidOptionsError(
            f"detection_side_px must be at most {config.max_detection_side_px} px, "
            f"got {options.detection_side_px}; engine.max_detection_side_px sets this limit"
        )
    return FrameOptions(
        model="" if options.models else options.model or default_model,
        min_score=config.min_score if options.min_score is None else options.min_score,
        max_faces=min(options.max_faces or config.max_faces, config.max_faces),
        detection_side_px=options.detection_side_px or config.detection_side_px,
        use_truncated=options.use_truncated,
        models=options.models,
    )


def effective_stream(options: StreamOptions, config: EngineConfig, frame: FrameOptions) -> StreamOptions:
    """``options`` of a stream whose effective options per frame are ``frame``."""
    longest = options.detection_interval or max(config.detection_interval, options.min_detection_interval)
    return dataclasses.replace(
        options,
        frame=frame,
        delivery=options.delivery or Delivery.LATEST,
        smoothing_ms=config.smoothing_ms if options.smoothing_ms is None else options.smoothing_ms,
        detection_interval=longest,
        min_detection_interval=options.min_detection_interval or min(config.min_detection_interval, longest),
    )


def settings_of_state(effective: StreamOptions, *, strict_minimum: bool) -> StateSettings:
    """State settings of effective options; ``strict_minimum`` if the client chose the minimum interval."""
    return StateSettings(
        models=effective.frame.names,
        smoothing_ms=effective.smoothing_ms or 0.0,
        neutral_first_ms=effective.neutral_first_ms,
        min_interval=effective.min_detection_interval,
        max_interval=effective.detection_interval,
        strict_minimum=strict_minimum,
        repeatable=effective.delivery is Delivery.EVERY,
    )
