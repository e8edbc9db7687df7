"""What reads videos if PyAV is not installed, and what it says it cannot do."""

from __future__ import annotations

import http.server
import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ferserve.errors import ConfigError, SourceLostError
from ferserve.sources import opencv
from ferserve.sources.source import open_source
from ferserve.types import EncodedImage, Frame, FrameResult, RawImage
from tests import builders
from tests.unit.sources import clips


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return builders.video_file(tmp_path / "clip.avi", frames=10, fps=20)


@pytest.fixture
def interlaced(tmp_path: Path) -> Path:
    options = {"flags": "+ilme+ildct", "x264-params": "tff=1"}
    return clips.write(tmp_path / "interlaced.mp4", clips.moving(5), options=options)


@pytest.fixture(autouse=True)
def _without_pyav(monkeypatch: pytest.MonkeyPatch, clip: Path, interlaced: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)


def _messages(items: list[Frame | FrameResult]) -> list[str]:
    return [item.fault.message for item in items if isinstance(item, FrameResult) and item.fault]


def test_a_recording_has_its_frames_and_its_clock(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened = open_source(clip)
    frames = list(opened.frames)
    assert not opened.live
    assert [frame.frame_id for frame in frames] == list(range(1, 11))
    times = [frame.capture_time_ns for frame in frames if isinstance(frame, Frame)]
    assert np.diff(times) / 1e6 == pytest.approx(50, abs=2)
    assert isinstance(frames[9], Frame)
    assert isinstance(frames[9].payload, RawImage)
    assert clips.mean_error(frames[9].payload.data, builders.scene(9 / 20)) < 12
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "does not show interlaced video or come back to a lost source; pip install av" in record.message


def test_interlaced_video_is_never_taken_for_frames(interlaced: Path) -> None:
    """OpenCV hands out a buffer that it never wrote to: refused if that shows anything, a fault if it is black."""
    try:
        items = list(open_source(interlaced).frames)
    except ConfigError as error:
        told = [str(error)]
    else:
        assert [item.frame_id for item in items] == [1, 2, 3, 4, 5]
        told = _messages(items)
        assert len(told) == 5
    assert all("OpenCV cannot show interlaced video; " in message for message in told)


def test_a_recording_that_is_cut_off_says_so(clip: Path) -> None:
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    items = list(open_source(clip).frames)
    assert len(items) == 10
    assert 1 <= len(_messages(items)) < 10
    assert all("is damaged" in message for message in _messages(items))


@pytest.mark.parametrize("name", [b"caf\xe9.avi", b"50%03d.avi", b"a\nb.avi"])
def test_names_that_opencv_would_misread_are_refused(clip: Path, name: bytes) -> None:
    path = clip.parent / os.fsdecode(name)
    clip.rename(path)
    with pytest.raises(ConfigError, match="must have a plain name without PyAV"):
        open_source(path)


def test_pictures_need_no_pyav(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(builders.jpeg(builders.astronaut()))
    assert [frame.payload for frame in open_source(path).frames] == [EncodedImage(path.read_bytes())]
    path.write_bytes(builders.animated("GIF"))
    assert len(list(open_source(path).frames)) == 1


def test_open_files_and_what_is_no_video_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.avi").write_text("no pixels here")
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_source(tmp_path / "notes.avi")
    with pytest.raises(ConfigError, match="must have a path without PyAV"):
        open_source(io.BytesIO(b"RIFF"))


@pytest.fixture
def site(clip: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=clip.parent)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_recording_behind_a_url(site: str) -> None:
    opened = open_source(f"{site}/clip.avi")
    assert not opened.live
    assert len(list(opened.frames)) == 10


def test_a_camera_that_stops_is_lost() -> None:
    """No test has a camera, so its capture is made by hand; its frames and its loss are as OpenCV tells them."""
    frames: Any = iter([(True, builders.scene(0, 32, 24)), (False, None)])
    released: list[bool] = []
    capture = SimpleNamespace(read=lambda: next(frames), release=lambda: released.append(True))
    seen = []
    with pytest.raises(SourceLostError, match="got none from camera 7"):
        seen.extend(opencv.live_frames(capture, "camera 7", iter([1, 2])))
    assert [item.frame_id for item in seen] == [1]
    assert released == [True]
