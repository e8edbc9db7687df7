"""Live sources end when somebody says so, with a whole output."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import av

from ferserve.annotation.file_run import Progress, Report
from tests.unit.annotation.conftest import Annotate
from tests.unit.annotation.tables import frame_times_s, rows, times_s
from tests.unit.sources import clips


def _feed(pipe: Path, clip: Path, last: threading.Event) -> None:
    """Write ``clip`` into a pipe, and keep it open until nobody wants more."""
    with open(pipe, "wb", buffering=0) as file:
        file.write(clip.read_bytes())
        last.wait(30)


def test_a_pipe_that_never_ends(tmp_path: Path, run: Annotate) -> None:
    clip = clips.write(tmp_path / "clip.ts", clips.moving(40), options={"g": "1", "bf": "0"})
    pipe, last, stop = tmp_path / "camera", threading.Event(), threading.Event()
    os.mkfifo(pipe)
    feed = threading.Thread(target=_feed, args=(pipe, clip, last), daemon=True)
    feed.start()

    def tell(progress: Progress) -> None:
        if progress.frames == 7:
            stop.set()

    report = run(pipe, tmp_path / "out", tell=tell, stop=stop, chunk_frames=3)
    last.set()
    feed.join(30)
    assert not report.interrupted
    assert not report.error
    times = times_s(tmp_path / "out")
    assert len(times) == report.frames >= 7
    assert times[0] == 0.0
    assert times == sorted(times)
    assert [row["outcome"] for row in rows(tmp_path / "out")] == ["face"] * report.frames
    assert len(frame_times_s(tmp_path / "out" / "annotated.mp4")) == report.frames
    with av.open(str(tmp_path / "out" / "annotated.mp4"), "r") as container:
        assert not container.streams.audio
    assert report == Report(frames=report.frames)
