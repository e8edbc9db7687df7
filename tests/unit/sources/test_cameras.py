"""Cameras behind RTSP and HTTP, in processes of their own: killed, exchanged, stalled, closed to strangers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Queue

import numpy as np
import pytest

from ferserve.errors import ConfigError
from ferserve.sources import live
from ferserve.sources.live_source import LiveSource
from ferserve.sources.source import open_source
from ferserve.sources.status import SourceState, SourceStatus
from ferserve.types import Frame, FrameResult, RawImage
from tests.serving.camera_process import CameraProcess, Protocol
from tests.serving.painted_time import age_ms


class _Watched:
    """A source that a thread reads; its items and states come one by one."""

    def __init__(self, url: str) -> None:
        self.states: Queue[SourceStatus] = Queue()
        self.items: list[Frame | FrameResult] = []
        self._new = threading.Condition()
        self.source = open_source(LiveSource(url, on_state=self.states.put))
        assert self.source.live
        self._thread = threading.Thread(target=self._pull)
        self._thread.start()

    def _pull(self) -> None:
        for item in self.source.frames:
            with self._new:
                self.items.append(item)
                self._new.notify_all()

    def until(self, wanted: Callable[[Frame | FrameResult], bool]) -> None:
        with self._new:
            after = len(self.items)
            assert self._new.wait_for(lambda: any(map(wanted, self.items[after:])), 20)

    def until_state(self, state: SourceState) -> None:
        while self.states.get(timeout=20).state is not state:
            pass

    def stop(self) -> None:
        self.source.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


def _size(item: Frame | FrameResult) -> tuple[int, int] | None:
    picture = item.payload if isinstance(item, Frame) else None
    return (picture.width, picture.height) if isinstance(picture, RawImage) else None


@pytest.fixture(params=["rtsp", "http"])
def camera(request: pytest.FixtureRequest) -> Iterator[CameraProcess]:
    with CameraProcess(request.param) as process:
        yield process


def test_a_camera_is_killed_exchanged_and_stalled(camera: CameraProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STALL_S", 0.5)
    watched = _Watched(camera.url)
    try:
        watched.until(lambda item: _size(item) == (320, 240))
        camera.kill()
        watched.until_state(SourceState.LOST)
        camera.start("640x480")
        watched.until(lambda item: _size(item) == (640, 480))
        watched.until_state(SourceState.LIVE)
        camera.freeze()
        watched.until_state(SourceState.STALLED)
        camera.thaw()
        watched.until_state(SourceState.LIVE)
        watched.until(lambda item: _size(item) == (640, 480))
    finally:
        camera.thaw()
        watched.stop()
    assert [item.frame_id for item in watched.items] == list(range(1, len(watched.items) + 1))
    frames = [item for item in watched.items if isinstance(item, Frame)]
    times = [frame.capture_time_ns for frame in frames]
    assert times == sorted(set(times))
    lost = [item.fault for item in watched.items if isinstance(item, FrameResult) and item.fault]
    assert {fault.code for fault in lost} == {"source_lost"}
    assert f"cannot read {camera.url}" in lost[0].message


def test_a_slow_viewer_gets_the_newest_picture(camera: CameraProcess) -> None:
    states: list[SourceStatus] = []
    source = open_source(LiveSource(camera.url, on_state=states.append))
    frames = source.frames
    assert isinstance(frames, live.LiveFrames)
    first = next(item for item in frames if isinstance(item, Frame))
    seen = frames.status.frames
    while frames.status.frames < seen + 20:
        threading.Event().wait(0.02)
    items = [next(frames)]
    while not isinstance(items[-1], Frame):
        items.append(next(frames))
    newest = items[-1]
    assert newest.frame_id >= seen + 20
    assert all(isinstance(item, FrameResult) and item.dropped for item in items[:-1])
    assert frames.status.dropped >= 18
    assert isinstance(newest, Frame)
    ages = [age_ms(np.asarray(frame.payload.data)) for frame in (first, newest) if isinstance(frame.payload, RawImage)]
    assert min(ages) >= 0  # the bar code is read as it was painted, in this hour
    assert max(ages) < 60_000
    source.stop()


@pytest.mark.parametrize("protocol", ["rtsp", "http"])
def test_a_camera_that_cannot_be_opened_is_an_error_at_once(protocol: Protocol) -> None:
    with CameraProcess(protocol, login="dXNlcjpwYTU1") as camera:  # user:pa55
        with pytest.raises(ConfigError, match=f"put a user and a password into it: {protocol}://USER:PASSWORD@HOST"):
            open_source(camera.url)
        named = camera.url.replace("://", "://user:pa55@")
        with pytest.raises(ConfigError, match=r"\*\*\*@127.*; check the path of the URL") as refused:
            open_source(named.replace("live", "other?token=s3cret"))
        source = open_source(named)
        assert _size(next(source.frames)) == (320, 240)
        source.stop()
    with pytest.raises(ConfigError, match="Connection refused; check the port, and that the camera is on") as off:
        open_source(named)
    for error in (refused.value, off.value):
        assert "pa55" not in str(error)
        assert "s3cret" not in str(error)
        assert error.__cause__ is None
