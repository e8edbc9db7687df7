"""Options refuse values out of range, by the field's name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ferserve.errors import InvalidOptionsError
from ferserve.options import Delivery, FrameOptions, Priority, StreamOptions, require_range


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"min_score": 1.5}, "min_score must be from 0 to 1, got 1.5"),
        ({"min_score": math.nan}, "min_score must be from 0 to 1, got nan"),
        ({"min_score": "high"}, "min_score must be a number from 0 to 1, got 'high'"),
        ({"max_faces": -1}, "max_faces must be from 0 to 2147483648, got -1"),
        ({"max_faces": 2.0}, "max_faces must be a whole number from 0 to 2147483648, got 2.0"),
        ({"max_faces": True}, "max_faces must be a whole number from 0 to 2147483648, got True"),
        ({"max_faces": 10**400}, "max_faces must be from 0 to 2147483648, got a number beyond 1e308"),
        ({"detection_side_px": 65536}, "detection_side_px must be from 0 to 65535 px, got 65536"),
        ({"model": None}, "model must be a str, got None"),
    ],
)
def test_frame_options_name_the_field_and_its_range(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOptionsError) as caught:
        FrameOptions(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"frame": {"max_faces": 1}}, "frame must be a FrameOptions, got {'max_faces': 1}"),
        ({"delivery": "latest"}, "delivery must be one of Delivery.LATEST, Delivery.EVERY, got 'latest'"),
        ({"priority": 1}, "priority must be one of Priority.LOW, Priority.NORMAL, Priority.HIGH, got 1"),
        ({"smoothing_ms": math.inf}, "smoothing_ms must be from 0 to 60000 ms, got inf"),
        ({"detection_interval": 1001}, "detection_interval must be from 0 to 1000 frames, got 1001"),
        ({"detection_interval": "4"}, "detection_interval must be a whole number from 0 to 1000 frames, got '4'"),
        (
            {"detection_interval": 3, "min_detection_interval": 4},
            "min_detection_interval must be at most detection_interval 3, got 4",
        ),
        ({"neutral_first_ms": -0.5}, "neutral_first_ms must be from 0 to 60000 ms, got -0.5"),
        ({"frame_deadline_ms": 600_001}, "frame_deadline_ms must be from 0 to 600000 ms, got 600001"),
        ({"last_track_id": -1}, "last_track_id must be from 0 to 100000000000, got -1"),
        ({"last_track_id": 10**11 + 1}, "last_track_id must be from 0 to 100000000000, got 100000000001"),
        ({"last_track_id": 1.0}, "last_track_id must be a whole number from 0 to 100000000000, got 1.0"),
        ({"stream_id": "x" * 129}, "stream_id must be at most 128 characters, got 129"),
        ({"stream_id": b"x"}, "stream_id must be a str, got b'x'"),
    ],
)
def test_stream_options_name_the_field_and_its_range(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOptionsError) as caught:
        StreamOptions(**fields)
    assert str(caught.value) == message


def test_the_ends_of_every_range_are_accepted() -> None:
    FrameOptions(min_score=0, max_faces=2**31, detection_side_px=65535)
    FrameOptions(min_score=1)
    StreamOptions(
        smoothing_ms=60_000,
        detection_interval=1000,
        min_detection_interval=1000,
        neutral_first_ms=60_000,
        frame_deadline_ms=600_000,
        stream_id="x" * 128,
    )
    assert StreamOptions(min_detection_interval=5).detection_interval == 0  # the engine's default may be larger


def test_numbers_of_numpy_are_numbers() -> None:
    assert FrameOptions(min_score=np.float32(0.5), max_faces=np.int64(3)).max_faces == 3  # type: ignore[arg-type]
    with pytest.raises(InvalidOptionsError, match="max_faces must be a whole number"):
        FrameOptions(max_faces=np.float32(3))  # type: ignore[arg-type]


def test_an_error_of_options_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="x must be from 1 to 2 s, got 3"):
        require_range("x", 3, 1, 2, " s")
    require_range("x", None, 1, 2)


def test_a_stream_of_high_priority_gets_four_turns_of_a_normal_one() -> None:
    assert [p.weight for p in (Priority.LOW, Priority.NORMAL, Priority.HIGH)] == [0.25, 1.0, 4.0]
    assert [d.value for d in Delivery] == ["latest", "every"]
