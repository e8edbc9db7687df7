"""Live sources come back, or are lost and say so."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from ferserve.errors import ConfigError, SourceLostError
from ferserve.sources import live
from ferserve.types import EncodedImage, Frame


def _frames(*ids: int, error: Exception | None = None) -> Iterator[Frame]:
    for frame_id in ids:
        yield Frame(frame_id, EncodedImage(b""))
    if error is not None:
        raise error


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_DELAY_S", 0.01)


def test_a_source_that_stops_is_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    again = iter([_frames(3, error=SourceLostError("reset")), _frames(4)])

    def reopen() -> Iterator[Frame]:
        opened = next(again, None)
        if opened is None:
            raise ConfigError("gone")
        return opened

    frames = live.reconnecting(_frames(1, 2), reopen, "camera 0", reconnect_s=0.05)
    seen = []
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(SourceLostError, match="got none from camera 0"),
    ):
        seen.extend(frame.frame_id for frame in frames)
    assert seen == [1, 2, 3, 4]
    assert "camera 0 stopped (it ended)" in caplog.text
    assert "camera 0 stopped (reset)" in caplog.text
