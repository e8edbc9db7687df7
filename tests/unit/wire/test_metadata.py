"""Names of streams as metadata."""

from __future__ import annotations

import pytest

from ferserve.wire.metadata import stream_value


@pytest.mark.parametrize(
    ("stream_id", "value"),
    [("camera-7", "camera-7"), ("", ""), ("a b/c", "a%20b%2Fc"), ("Süd", "S%C3%BCd"), ("\r\n\0", "%0D%0A%00")],
)
def test_a_name_travels_as_printable_ascii(stream_id: str, value: str) -> None:
    assert stream_value(stream_id) == value


@pytest.mark.parametrize("stream_id", ["x" * 129, "x" * 10_240, "é" * 60])
def test_a_long_name_travels_as_its_digest(stream_id: str) -> None:
    value = stream_value(stream_id)
    assert len(value) == 64
    assert value == stream_value(stream_id) != stream_value(stream_id + "x")
