"""Files that cannot be annotated, or only in part."""

from __future__ import annotations

import resource
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import OutputContainer

from ferserve.annotation.file_run import Report
from tests.unit.annotation.conftest import Annotate
from tests.unit.annotation.tables import digests, rows
from tests.unit.sources import clips

FRAMES = 12


def _audio_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        assert isinstance(container, OutputContainer)
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _renamed_codec(path: Path) -> Path:
    clips.write(path, clips.moving(3))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))
    return path


def _no_sizes(path: Path) -> Path:
    """An index that gives every frame a wrong size."""
    clips.write(path, clips.moving(3))
    data = path.read_bytes()
    at = data.find(b"stsz") + 16
    path.write_bytes(data[:at] + b"\x7f" * 12 + data[at + 12 :])
    return path


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_nothing_is_left_of_what_cannot_be_read(tmp_path: Path, run: Annotate) -> None:
    whole = clips.write(tmp_path / "whole.mp4", clips.moving(6)).read_bytes()
    reasons = {
        _audio_only(tmp_path / "sound.mp4"): "there is no video in it",
        _renamed_codec(tmp_path / "codec.mp4"): "this FFmpeg cannot decode it",
        _no_sizes(tmp_path / "index.mp4"): "",
        _written(tmp_path / "empty.mp4", b""): "cannot be opened",
        _written(tmp_path / "text.mp4", b"no video"): "cannot be opened",
        _written(tmp_path / "cut.mp4", whole[: len(whole) // 2]): "cannot be opened",
        tmp_path / "missing.mp4": "No such file",
    }
    for path, reason in reasons.items():
        report = run(path, tmp_path / "out" / path.stem)
        assert report.frames == 0
        assert reason in report.error
        assert report.error.count("\n") == 0
        assert report.error
    report = run(tmp_path / "whole.mp4", tmp_path / "out" / "late", start_s=60)
    assert "between --start and --end, got none" in report.error
    assert digests(tmp_path / "out") == {}


def test_what_is_there_of_a_damaged_file_is_kept_and_told(tmp_path: Path, run: Annotate) -> None:
    cut = clips.write(tmp_path / "cut.mkv", clips.moving(FRAMES), options={"g": "1"})
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    report = run(cut, tmp_path / "out")
    assert report.faults >= 1
    assert "the end is missing" in report.error
    outcomes = [row["outcome"] for row in rows(tmp_path / "out")]
    assert 2 < outcomes.count("face") < FRAMES
    assert "fault" in outcomes


@pytest.mark.parametrize(
    ("pixel_format", "codec", "size"),
    [("yuv420p10le", "libx265", (320, 240)), ("yuv444p", "libx264", (321, 241)), ("bgr0", "ffv1", (320, 240))],
)
def test_pixels_of_any_kind(
    tmp_path: Path, run: Annotate, pixel_format: str, codec: str, size: tuple[int, int]
) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    clip = clips.write(
        tmp_path / "clip.mkv", clips.moving(3, *size), codec=codec, pixel_format=pixel_format, options=options
    )
    assert run(clip, tmp_path / "out") == Report(frames=3)
    assert {row["outcome"] for row in rows(tmp_path / "out")} == {"face"}


def test_a_full_disk_is_told_and_gone_on_from(tmp_path: Path, run: Annotate) -> None:
    """A limit on the size of files stands for it: the parts fit, the whole clip does not."""
    clip = clips.write(tmp_path / "clip.mp4", clips.moving(FRAMES))
    run(clip, tmp_path / "whole", chunk_frames=4)
    size = (tmp_path / "whole" / "annotated.mp4").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, before[1]))
    try:
        report = run(clip, tmp_path / "out", chunk_frames=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "File too large" in report.error
    assert not (tmp_path / "out").exists()
    assert run(clip, tmp_path / "out", chunk_frames=4) == Report(frames=FRAMES)
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")
