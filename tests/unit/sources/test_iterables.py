"""Numbers, times and faults of what iterables yield."""

from __future__ import annotations

import math
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferserve.errors import ConfigError, FrameTimeWarning, InvalidOptionsError
from ferserve.sources.iterables import FrameMaker
from ferserve.sources.source import open_source
from ferserve.types import EncodedImage, Frame, FrameResult, RawImage
from tests import builders

GREY = np.full((20, 30), 90, np.uint8)


def _frames(items: Any, **how: Any) -> list[Any]:
    return list(open_source(items, FrameMaker(**how)).frames)


def test_fps_spaces_frames_evenly() -> None:
    frames = _frames([GREY, b"x", Frame(5, EncodedImage(b"y")), Frame(6, EncodedImage(b"z"), 77)], fps=25)
    assert [f.capture_time_ns for f in frames] == [1, 40_000_000, 160_000_000, 77]


def test_pairs_bring_their_times() -> None:
    frames = _frames([(0, GREY), (0.04, GREY), (np.float32(1.5), b"x"), (2, "/nowhere.jpg")])
    assert [f.capture_time_ns for f in frames[:3]] == [1, 40_000_000, 1_500_000_000]
    assert frames[3].fault.code == "unreadable"


def test_pairs_whose_clock_stands_still_are_noticed() -> None:
    with pytest.warns(FrameTimeWarning, match="times of frames must rise, got 0 s"):
        _frames([(0.0, GREY)] * 3)
    frames = _frames([(0.0, GREY)] * 3, fps=10)
    assert [f.capture_time_ns for f in frames] == [1, 100_000_000, 200_000_000]


def test_pictures_without_a_time_are_warned_of_once() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        before = time.time_ns()
        frames = _frames([GREY] * 4)
        assert before <= frames[0].capture_time_ns <= frames[3].capture_time_ns <= time.time_ns()
        _frames([GREY])
        _frames([GREY] * 4, fps=30)
        _frames([(i, GREY) for i in range(4)])
    assert [warning.category for warning in told] == [FrameTimeWarning]
    assert "pass fps=, or (time_s, image) pairs" in str(told[0].message)


def test_frames_may_hold_any_picture() -> None:
    rgb = np.dstack([GREY, GREY + 1, GREY + 2])
    payloads: list[Any] = [rgb, Image.fromarray(rgb), b"x"]
    frames = _frames([Frame(i, payload, 9 if i == 3 else 0) for i, payload in enumerate(payloads, 3)], color="rgb")
    assert [(f.frame_id, f.capture_time_ns) for f in frames] == [(3, 9), (4, 0), (5, 0)]
    for frame in frames[:2]:
        assert isinstance(frame.payload, RawImage)
        np.testing.assert_array_equal(frame.payload.data, rgb[:, :, ::-1])
    assert frames[2].payload == EncodedImage(b"x")


@pytest.mark.parametrize(
    "item",
    [
        None,
        3.5,
        (True, GREY),
        (math.nan, GREY),
        (1, 2, 3),
        (0.5, None),
        np.zeros(4),
        np.zeros((4, 4), np.uint16),
        [1],
        "/no",
    ],
)
def test_what_is_no_picture_is_a_fault_on_its_own_frame(item: Any) -> None:
    first, second, third = _frames([GREY, item, GREY], fps=30)
    assert isinstance(first, Frame)
    assert isinstance(second, FrameResult)
    assert second.fault is not None
    assert second.frame_id == 2
    assert (third.frame_id, third.capture_time_ns) == (3, 66_666_667)


@pytest.mark.parametrize(
    "source",
    [GREY, builders.astronaut(), GREY[:, :, None], b"x", bytearray(b"x"), Image.fromarray(GREY), np.zeros((9, 9, 4))],
)
def test_one_picture_is_no_iterable_of_rows(source: Any) -> None:
    with pytest.raises(ConfigError, match=r"got one image .*; put it in a list"):
        open_source(source)


def test_an_array_of_pictures_is_an_iterable_of_them() -> None:
    assert len(_frames(np.zeros((5, 20, 30, 3), np.uint8))) == len(_frames(np.zeros((5, 20, 30), np.uint8))) == 5


@pytest.mark.parametrize("how", [{"fps": 0}, {"fps": -1}, {"fps": math.nan}, {"fps": 1e9}, {"color": "yuv"}])
def test_options_out_of_range(how: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionsError, match="must be"):
        FrameMaker(**how)


def test_a_folder_among_paths_is_a_fault(tmp_path: Path) -> None:
    assert _frames([tmp_path])[0].fault.code == "unreadable"


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_clock_that_is_set_moves_no_frame(monkeypatch: pytest.MonkeyPatch, jump_s: int) -> None:
    maker, real = FrameMaker(), time.time_ns
    first = maker.make(np.zeros((48, 48), np.uint8), 1)
    monkeypatch.setattr(time, "time_ns", lambda: real() + jump_s * 10**9)
    second = maker.make(np.zeros((48, 48), np.uint8), 2)
    assert isinstance(first, Frame)
    assert isinstance(second, Frame)
    assert 0 < second.capture_time_ns - first.capture_time_ns < 60 * 10**9
