"""Recordings that were cut off: by a full disk, a crash, a copy that broke."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ferserve.sources.source import open_source
from ferserve.types import Frame
from tests import builders
from tests.unit.sources import clips

FRAMES = 30
CLIPS = {
    "clip.mkv": ("libx264", "yuv420p"),
    "clip.webm": ("libvpx", "yuv420p"),
    "clip.ts": ("libx264", "yuv420p"),
    "clip.m2ts": ("libx264", "yuv420p"),
    "clip.mpg": ("mpeg2video", "yuv420p"),
    "clip.vob": ("mpeg2video", "yuv420p"),
    "clip.flv": ("libx264", "yuv420p"),
    "clip.ogv": ("libvpx", "yuv420p"),
    "clip.wmv": ("wmv2", "yuv420p"),
    "clip.mjpeg": ("mjpeg", "yuvj420p"),
    "clip.avi": ("mpeg4", "yuv420p"),
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("recordings")
    pictures = clips.moving(FRAMES)
    for name, (codec, pixel_format) in CLIPS.items():
        clips.write(folder / name, pictures, codec=codec, pixel_format=pixel_format, options={"b": "2M"})
    builders.webm_without_duration(folder / "browser.webm", FRAMES, fps=30)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _read(path: Path) -> tuple[int, list[str]]:
    """How many frames came, and the messages of the faults."""
    items = list(open_source(path).frames)
    faults = [item.fault.message for item in items if not isinstance(item, Frame) and item.fault]
    return len(items) - len(faults), faults


@pytest.mark.parametrize("name", [*CLIPS, "browser.webm"])
def test_a_whole_recording_has_no_fault(recordings: dict[str, bytes], tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(recordings[name])
    assert _read(path) == (FRAMES, [])


@pytest.mark.parametrize("share", [0.5, 0.8])
@pytest.mark.parametrize("name", [*CLIPS, "browser.webm"])
def test_a_recording_that_is_cut_off_says_so(
    recordings: dict[str, bytes], tmp_path: Path, name: str, share: float
) -> None:
    path = tmp_path / name
    length = int(len(recordings[name]) * share) // 2048 * 2048 + 700  # amid a packet: its end alone says nothing
    path.write_bytes(recordings[name][:length])
    frames, faults = _read(path)
    assert 0 < frames < FRAMES
    assert "the end is missing" in faults[-1]


def test_bytes_after_the_end_are_not_missed(recordings: dict[str, bytes], tmp_path: Path) -> None:
    """Some recorders reserve their files, and write zeros to the end."""
    for name in ("clip.mkv", "clip.ts", "clip.mpg", "clip.mjpeg"):
        path = tmp_path / name
        path.write_bytes(recordings[name] + bytes(1000))
        assert not [fault for fault in _read(path)[1] if "the end is missing" in fault], name


def test_an_open_file_is_checked_too(recordings: dict[str, bytes]) -> None:
    items = list(open_source(io.BytesIO(recordings["clip.mkv"][:-3000])).frames)
    assert items[-1].fault is not None  # type: ignore[union-attr]
