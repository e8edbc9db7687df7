"""Several outputs at once, of which one fails; queues that are full; files that cannot be made."""

from __future__ import annotations

import csv
import errno
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from ferserve.errors import ConfigError
from ferserve.sinks.clip import ClipSink
from ferserve.sinks.csv_file import CsvSink
from ferserve.sinks.outbox import Outbox
from ferserve.sinks.several import SeveralSinks
from ferserve.sinks.sink import Sink
from ferserve.types import Face, Frame, FrameResult, HeadResult, PixelFormat, RawImage

HEADS = {"emotion": ("sad", "happy")}


class _Seen(Sink):
    """Counts, and fails at one result."""

    def __init__(self, fails_at: int = 0, fails_to_close: bool = False) -> None:
        self.numbers: list[int] = []
        self.was_closed = False
        self._fails_at = fails_at
        self._fails_to_close = fails_to_close

    def result(self, source: str, result: FrameResult) -> None:
        if result.frame_id == self._fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.numbers.append(result.frame_id)

    def close(self) -> None:
        self.was_closed = True
        if self._fails_to_close:
            raise OSError(errno.EIO, "Input/output error")


def _face() -> Face:
    probabilities = np.array([0.25, 0.75], np.float32)
    return Face((10, 20, 30, 40), 0.9, (HeadResult.of("emotion", HEADS["emotion"], probabilities, frozenset()),))


def _frame(number: int, width: int, height: int, time_s: float) -> Frame:
    pixels = np.full((height, width, 3), 40 * number % 256, np.uint8)
    return Frame(number, RawImage(PixelFormat.BGR24, width, height, pixels), round(time_s * 1e9))


def test_one_that_fails_is_told_of_once_and_the_others_go_on() -> None:
    told: list[tuple[str, str]] = []
    shown, full, well, late = _Seen(), _Seen(fails_at=2), _Seen(), _Seen(fails_to_close=True)
    others: dict[str, Sink] = {"a.csv": full, "b.csv": well, "c.csv": late}
    with SeveralSinks(shown, others, lambda name, reason: told.append((name, reason))) as sinks:
        for number in (1, 2, 3):
            sinks.result("cam", FrameResult(number))
    assert [sink.numbers for sink in (shown, full, well, late)] == [[1, 2, 3], [1], [1, 2, 3], [1, 2, 3]]
    assert told == [
        ("a.csv", "No space left on device; no more results go there"),
        ("c.csv", "Input/output error"),
    ]
    assert sinks.failed == {"a.csv", "c.csv"}
    assert full.was_closed
    assert well.was_closed
    assert not shown.was_closed, "it is closed by its owner"


def test_what_is_shown_may_fail_for_good() -> None:
    with SeveralSinks(_Seen(fails_at=1), {}, lambda *_: None) as sinks, pytest.raises(OSError, match="No space"):
        sinks.result("cam", FrameResult(1))


def test_rows_are_in_the_file_before_it_is_closed(tmp_path: Path) -> None:
    sink = CsvSink(tmp_path / "out.csv", HEADS, overwrite=False)
    sink.result("cam", FrameResult(1, faces=(_face(), _face())))
    sink.result("cam", FrameResult(2))
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [(row["frame_id"], row["emotion"]) for row in rows] == [("1", "happy"), ("1", "happy"), ("2", "")]
    sink.close()


@pytest.mark.parametrize("suffix", ["mp4", "MKV"])
def test_a_clip_has_the_times_of_capture_and_the_size_of_its_first_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    times = [[100.0, 100.1, 103.5], [7.0, 7.05]]
    with ClipSink(path, overwrite=False) as sink:
        for source, seconds in enumerate(times):
            sink.start(str(source))
            for number, time_s in enumerate(seconds, 1):
                sink.frame("", _frame(number, *((101, 81) if number < 3 else (64, 48)), time_s))
            sink.result("", FrameResult(1, faces=(_face(),)))
            for number in range(2, len(seconds) + 1):
                sink.result("", FrameResult(number))
    with av.open(path) as clip:
        frames = list(clip.decode(video=0))
    assert {(frame.width, frame.height) for frame in frames} == {(100, 80)}
    assert [frame.time for frame in frames][:3] == pytest.approx([0, 0.1, 3.5], abs=0.001)
    assert frames[4].time - frames[3].time == pytest.approx(0.05, abs=0.001)
    first, second = (frame.to_ndarray(format="bgr24").astype(int) for frame in frames[:2])
    assert abs(first[20, 10:30, 1] - first[60, 60, 1]).max() > 60, "the box is drawn"
    assert np.ptp(second) < 40, "there is no face"


def test_a_clip_without_frames_is_an_empty_file(tmp_path: Path) -> None:
    with ClipSink(tmp_path / "clip.mp4", overwrite=False) as sink:
        sink.result("", FrameResult(1))
    assert (tmp_path / "clip.mp4").read_bytes() == b""


def test_files_that_exist_or_cannot_be_made(tmp_path: Path) -> None:
    old = tmp_path / "old.csv"
    old.write_text("precious")
    with pytest.raises(ConfigError, match=r"--csv must be a new file, got .*old.csv', which exists; pass --overwrite"):
        CsvSink(old, HEADS, overwrite=False)
    assert old.read_text() == "precious"
    CsvSink(old, HEADS, overwrite=True).close()
    assert old.read_text().startswith("source,")
    with pytest.raises(ConfigError, match=r"--csv must be a file that can be written, got '/dev/full': No space left"):
        CsvSink(Path("/dev/full"), HEADS, overwrite=True)
    with pytest.raises(ConfigError, match=r"--save must be a file that can be written, got .*No such file"):
        ClipSink(tmp_path / "nowhere" / "a.mp4", overwrite=False)
    with pytest.raises(ConfigError, match=r"--save must be a name with .mp4 or .mkv, got 'clip.avi'"):
        ClipSink(Path("clip.avi"), overwrite=False)


def test_a_full_outbox_drops_the_oldest() -> None:
    sent: list[str] = []
    open_, full = threading.Event(), threading.Event()

    def publish(message: str) -> int | None:
        if not open_.is_set():
            full.set()
            return None
        sent.append(message)
        outbox.confirm(len(sent))
        return len(sent)

    outbox = Outbox(3, publish)
    outbox.put("0")
    assert full.wait(10)
    for number in range(1, 10):
        outbox.put(str(number))
    open_.set()
    lost = outbox.close(20)
    assert sent == ["7", "8", "9"]
    assert lost == outbox.dropped == 7


def test_what_was_under_way_when_the_connection_broke_is_lost() -> None:
    numbers = iter(range(100))
    sent = threading.Semaphore(0)

    def publish(message: str) -> int:
        sent.release()
        return next(numbers)

    outbox = Outbox(100, publish)
    for number in range(5):
        outbox.put(str(number))
    assert all(sent.acquire(timeout=10) for _ in range(5))
    outbox.confirm(0)
    outbox.forget_sent()
    assert outbox.close(10) == 4
