"""JPEGs whose end is missing: the rows that are there are those of the whole file, and all others are grey."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ferserve.engine import Engine
from ferserve.errors import InvalidFrameError
from ferserve.options import FrameOptions
from ferserve.types import EncodedImage, Frame
from ferserve.vision.decode import decode
from ferserve.vision.picture import Picture, Pixels
from tests.counting import Counting
from tests.unit.vision.jpegs import EOI, RGB, encoded, restarts

KINDS = {
    "4:2:0": encoded(),
    "4:4:4": encoded(subsampling=0),
    "grey": encoded(RGB[:, :, 1].copy()),
    "intervals of a row": encoded(restart_marker_rows=1),
    "intervals within rows": encoded(restart_marker_blocks=5),
}


def _decode(data: bytes, *, color: bool) -> Picture:
    return decode(EncodedImage(data), color=color, max_pixels=10**6, use_truncated=True)


def _pixels(picture: Picture) -> Pixels:
    return picture.luma if picture.bgr is None else picture.bgr


def _assert_upper_part(data: bytes, whole: bytes, least: float, *, color: bool) -> None:
    """``data`` holds ``least`` of the rows of ``whole`` or more, and ends in grey."""
    picture, expected = _decode(data, color=color), _decode(whole, color=color)
    percent = int(re.fullmatch(r"truncated: (\d+) % of the rows are there, the others are grey", picture.degraded)[1])
    rows = -(-percent * picture.height // 100)
    assert least <= rows / picture.height < 1
    np.testing.assert_array_equal(_pixels(picture)[:rows], _pixels(expected)[:rows])
    assert (picture.luma[rows + 16 :] == 128).all()


@pytest.mark.parametrize("padding", [b"", bytes(3000), EOI, bytes(99) + EOI, b"\xff" * 9])
@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_that_are_there_are_used(kind: str, color: bool, padding: bytes) -> None:
    whole = KINDS[kind]
    for share, least in ((0.3, 0.15), (0.6, 0.5), (0.9, 0.75)):
        _assert_upper_part(whole[: int(len(whole) * share)] + padding, whole, least, color=color)


def test_what_follows_a_missing_interval_is_not_used() -> None:
    whole = KINDS["intervals of a row"]
    at = restarts(whole)
    _assert_upper_part(whole[: at[4]] + EOI, whole, 0.2, color=False)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(progressive=True)[:5000], id="a progressive file"),
        pytest.param(encoded()[:700], id="not a single row"),
        pytest.param(encoded()[:300], id="the header alone"),
    ],
)
def test_a_file_without_whole_rows_stays_a_fault(data: bytes) -> None:
    with pytest.raises(InvalidFrameError, match=r"must be a whole JPEG|header cut off"):
        _decode(data, color=False)


def test_callers_ask_for_it_and_metrics_count_it() -> None:
    counting, cut = Counting(), EncodedImage(encoded()[:-3000])
    with Engine(metrics=counting) as engine:
        with pytest.raises(InvalidFrameError):
            engine.classify(Frame(1, cut))
        assert counting.degraded == 0
        result = engine.classify(Frame(2, cut), FrameOptions(use_truncated=True))
    assert result.ok
    assert result.degraded.startswith("truncated: ")
    assert counting.degraded == 1
