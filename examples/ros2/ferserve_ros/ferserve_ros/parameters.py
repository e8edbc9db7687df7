"""Parameters of the node."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import ferserve

_RECONNECT_S = 5.0
"""A connection that comes back within this time keeps the ids of its faces."""


@dataclass(frozen=True)
class Parameters:
    """What ``config/ferserve.yaml`` sets; docs/ros2.md describes each."""

    target: str = "127.0.0.1:50051"
    tls_ca: str = ""
    compressed: bool = False
    model: str = ""
    max_faces: int = 0
    smoothing_ms: float = 400.0
    neutral_first_ms: float = 0.0
    roi_in_pixels: bool = False
    landmarks: bool = False
    head_frames: bool = True
    eyes_apart_m: float = 0.0633
    max_pose_age_ms: float = 200.0

    @classmethod
    def declare(cls, node: Any) -> None:
        """Declare all parameters with their defaults."""
        for field in fields(cls):
            node.declare_parameter(field.name, field.default)

    @classmethod
    def of(cls, node: Any) -> Parameters:
        """The parameters as they are now."""
        return cls(**{field.name: node.get_parameter(field.name).value for field in fields(cls)})

    def client(self) -> ferserve.Client:
        """A client of the server; few frames are under way at once, so that each is new."""
        tls = ferserve.Tls(ca=self.tls_ca) if self.tls_ca else ferserve.Tls()
        return ferserve.Client(self.target, tls=tls, max_in_flight=2, reconnect_s=_RECONNECT_S)

    def options(self) -> ferserve.StreamOptions:
        """The options of the stream; raises :class:`ferserve.InvalidOptionsError`, also for what is no option."""
        if not self.eyes_apart_m > 0:
            raise ferserve.InvalidOptionsError(f"eyes_apart_m must be above 0 m, got {self.eyes_apart_m}")
        return ferserve.StreamOptions(
            delivery=ferserve.Delivery.LATEST,
            frame=ferserve.FrameOptions(model=self.model, max_faces=self.max_faces),
            smoothing_ms=self.smoothing_ms,
            neutral_first_ms=self.neutral_first_ms,
        )
