"""Live sources: the newest frame counts, what stops is opened again, and every state is told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ferserve.errors import ConfigError, SourceLostError
from ferserve.sources import capture_clock, live
from ferserve.sources.capture_clock import CaptureClock
from ferserve.sources.falling_behind import FallingBehind
from ferserve.sources.live import LiveFrames
from ferserve.sources.live_source import LiveSource
from ferserve.sources.newest import Newest
from ferserve.sources.status import SourceState, SourceStatus
from ferserve.types import EncodedImage, Frame, FrameResult


@dataclass
class _Picture:
    name: str
    capture_time_ns: int

    def payload(self) -> EncodedImage:
        return EncodedImage(self.name.encode())


class _Connection:
    """Hands out its pictures one by one, each when the last one was taken, and then ends or raises."""

    taken = threading.Semaphore(0)

    def __init__(self, *names: str, error: Exception | None = None) -> None:
        self.closed = False
        self._names = names
        self._error = error

    def pictures(self, clock: CaptureClock) -> Iterator[_Picture | str]:
        for name in self._names:
            yield name if name.startswith("damaged") else _Picture(name, clock.time_ns(None))
            assert self.taken.acquire(timeout=10)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_DELAY_S", 0.01)


def test_a_source_that_stops_is_opened_again_until_it_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    connections = [_Connection("a", "damaged b"), _Connection("c", error=SourceLostError("reset")), _Connection("d")]
    states: list[SourceStatus] = []
    again = iter(connections[1:])

    def reopen() -> _Connection:
        opened = next(again, None)
        if opened is None:
            raise ConfigError("gone")
        return opened

    frames = LiveFrames(connections[0], reopen, "camera 0", LiveSource(0, reconnect_s=0.1, on_state=states.append))
    seen, times = [], []
    error = None
    while error is None:
        try:
            item = next(frames)
        except SourceLostError as lost:
            error = lost
            continue
        seen.append((item.frame_id, _name(item)))
        if isinstance(item, Frame):
            times.append(item.capture_time_ns)
        if "source_lost" not in seen[-1][1]:
            _Connection.taken.release()
    assert "come back within 0.1 s, got none from camera 0: gone" in str(error)
    assert [number for number, _ in seen] == list(range(1, 8))
    assert [seen[index][1] for index in (0, 3, 5)] == ["a", "c", "d"]
    assert "damaged b" in seen[1][1]
    assert "unreadable" in seen[1][1]
    assert "source_lost" in seen[2][1]
    assert "cannot read camera 0: it ended" in seen[2][1]
    assert "cannot read camera 0: reset" in seen[4][1]
    assert times == sorted(set(times))
    assert all(connection.closed for connection in connections)
    live_and_lost = [SourceState.LIVE, SourceState.LOST]
    assert [s.state for s in states if s.reason != "gone"] == [SourceState.CONNECTING, *live_and_lost * 3]
    assert [s.reconnects for s in states if s.state is SourceState.LIVE] == [0, 1, 2]
    assert str(states[2]) == "camera 0 is lost (it ended)"
    assert not caplog.records


def test_without_a_listener_the_log_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        frames = LiveFrames(_Connection(), _Connection, "camera 0", LiveSource(0, reconnect_s=0))
        with pytest.raises(SourceLostError):
            next(frames)
    assert caplog.messages == ["camera 0 is connecting", "camera 0 is lost (it ended)"]


def test_closing_ends_the_frames_of_a_source_that_is_waited_for() -> None:
    lost = threading.Event()
    settings = LiveSource(0, on_state=lambda status: lost.set() if status.state is SourceState.LOST else None)
    frames = LiveFrames(_Connection(), lambda: _raise(ConfigError("off")), "camera 0", settings)
    threading.Thread(target=lambda: (lost.wait(10), frames.close())).start()
    assert [item.fault.code for item in frames if not isinstance(item, Frame) and item.fault] == ["source_lost"]


def test_a_listener_that_fails_ends_the_stream_with_its_error() -> None:
    def on_state(status: SourceStatus) -> None:
        if status.state is SourceState.LIVE:
            raise RuntimeError("full")

    frames = LiveFrames(_Connection("a"), _Connection, "camera 0", LiveSource(0, on_state=on_state))
    with pytest.raises(RuntimeError, match="full"):
        list(frames)


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_a_patience_that_is_no_time(seconds: float) -> None:
    with pytest.raises(ConfigError, match="reconnect_s must be at least 0 s, got"):
        LiveSource("rtsp://camera", reconnect_s=seconds)


def test_what_nobody_took_is_replaced_and_told_in_its_place() -> None:
    newest: Newest[str] = Newest()
    for name in "abc":
        newest.put(name)
    assert [newest.take(0) for _ in range(4)] == [(1, None), (2, None), (3, "c"), None]
    newest.put("d")
    newest.note("lost")
    newest.put("e")
    newest.put("f")
    newest.end()
    assert [newest.take(0) for _ in range(4)] == [(4, None), (5, "lost"), (6, None), (7, "f")]
    with pytest.raises(StopIteration):
        newest.take(0)
    assert (newest.put_count, newest.replaced_count) == (7, 4)


class _Time:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(capture_clock.time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(capture_clock.time, "time_ns", lambda: round(self.now_s * 1e9))

    def arrivals(self, clock: CaptureClock, *pairs: tuple[float, float | None]) -> list[float]:
        times = []
        for self.now_s, at_s in pairs:
            times.append(round(clock.time_ns(at_s) / 1e9, 6))
        return times


def test_times_are_the_senders_at_the_origin_of_the_quickest_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = _Time(monkeypatch)
    clock = CaptureClock()
    assert steady.arrivals(clock, (100.01, 5.0), (100.05, 5.04), (100.12, 5.08)) == [100.01, 100.05, 100.09]
    late = [(103.1, 5.12), (103.11, 6.0), (103.12, 8.0)]  # they waited in a buffer for up to three seconds
    assert steady.arrivals(clock, *late) == [100.13, 101.01, 103.01]
    assert steady.arrivals(clock, (103.13, None)) == [103.13]  # nothing but the arrival is known
    clock.restart()
    again = steady.arrivals(clock, (103.14, 900.0), (103.0, 900.04), (103.2, 2.0))
    assert again == sorted(again)
    assert again[0] == 103.14
    jumped = steady.arrivals(clock, *((103.2 + i / 10, 2 + i / 10) for i in range(60)))  # its clock was set back
    assert jumped[-1] == pytest.approx(103.2 + 5.9)


def _packets(behind: FallingBehind, start_s: float, count: int, read_s: float, decode_s: float) -> tuple[float, int]:
    """The time after ``count`` packets, every tenth of which is a key frame, and how many were skipped."""
    now_s, skipped = start_s, 0
    for index in range(count):
        now_s += read_s
        if behind.skips(read_s, now_s, index % 10 == 0):
            skipped += 1
        else:
            now_s += decode_s
    return now_s, skipped


def test_a_decoder_that_keeps_up_skips_nothing() -> None:
    assert _packets(FallingBehind(), 100.0, 600, 0.02, 0.013)[1] == 0


def test_a_decoder_that_falls_behind_skips_to_the_next_key_frame_after_a_read_that_waits() -> None:
    behind = FallingBehind()
    now_s, skipped = _packets(behind, 100.0, 40, 0.0001, 0.04)
    assert 0 < skipped < 40
    assert behind.skips(0.03, now_s, False)  # the backlog is gone, but this one needs others before it
    assert behind.skips(0.03, now_s + 0.03, False)
    assert not behind.skips(0.03, now_s + 0.06, True)
    assert not behind.skips(0.03, now_s + 0.09, False)


def test_a_sender_that_never_pauses_is_read_in_parts() -> None:
    _, skipped = _packets(FallingBehind(), 100.0, 20_000, 0.0001, 0.01)
    assert 0 < skipped < 19_900


def _name(item: Frame | FrameResult) -> str:
    picture = item.payload if isinstance(item, Frame) else None
    return picture.data.decode() if isinstance(picture, EncodedImage) else str(item)


def _raise(error: Exception) -> _Connection:
    raise error
