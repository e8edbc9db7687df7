"""Recordings as people have them: the pictures, their number, their times, and what is told of the rest."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ferserve.errors import ConfigError
from ferserve.sources.source import open_source
from ferserve.types import Frame, FrameResult, RawImage
from tests.unit.sources import clips


def _read(source: str | os.PathLike[str]) -> tuple[list[Frame], list[FrameResult]]:
    items = list(open_source(source).frames)
    assert [item.frame_id for item in items] == list(range(1, len(items) + 1))
    return [i for i in items if isinstance(i, Frame)], [i for i in items if isinstance(i, FrameResult)]


def _steps_ms(frames: list[Frame]) -> list[float]:
    return [round(step / 1e6, 1) for step in np.diff([frame.capture_time_ns for frame in frames])]


def _pixels(frame: Frame) -> object:
    assert isinstance(frame.payload, RawImage)
    return frame.payload.data


INTERLACED = {"flags": "+ilme+ildct", "x264-params": "tff=1", "crf": "18"}


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "options"),
    [
        ("clip.mp4", "libx264", "yuv420p", {}),
        ("clip.mp4", "libx264", "yuv420p", INTERLACED),
        ("clip.mkv", "libx264", "yuv420p10le", {}),
        ("clip.mkv", "libx264", "yuv444p", {}),
        ("clip.mpg", "mpeg2video", "yuv420p", {"flags": "+ilme+ildct", "qscale": "2"}),
        ("clip.webm", "libvpx", "yuv420p", {"b": "2M"}),
        ("clip.mov", "mjpeg", "yuvj420p", {}),
        ("clip.ts", "libx264", "yuv420p", {}),
    ],
)
def test_every_frame_comes_as_it_was_filmed(
    tmp_path: Path, name: str, codec: str, pixel_format: str, options: dict[str, str]
) -> None:
    pictures = clips.moving(12)
    path = clips.write(tmp_path / name, pictures, codec=codec, pixel_format=pixel_format, options=options)
    frames, faults = _read(path)
    assert not faults
    assert len(frames) == 12
    assert max(clips.mean_error(_pixels(f), p) for f, p in zip(frames, pictures, strict=True)) < 12
    assert np.mean(_steps_ms(frames)) == pytest.approx(100 / 3, abs=0.5)


def test_dv_tape_is_interlaced_too(tmp_path: Path) -> None:
    pictures = clips.moving(5, 720, 576)
    frames, faults = _read(clips.write(tmp_path / "tape.avi", pictures, codec="dvvideo"))
    assert (len(frames), faults) == (5, [])
    assert clips.mean_error(_pixels(frames[2]), pictures[2]) < 12


@pytest.mark.parametrize("turn_deg", [90, 180, -90])
def test_a_phones_video_is_turned_upright(tmp_path: Path, turn_deg: int) -> None:
    upright = clips.moving(3)
    lying = [np.ascontiguousarray(np.rot90(picture, -turn_deg // 90)) for picture in upright]
    frames, _ = _read(clips.write(tmp_path / "phone.mp4", lying, turn_deg=turn_deg))
    assert max(clips.mean_error(_pixels(f), p) for f, p in zip(frames, upright, strict=True)) < 12


@pytest.mark.parametrize("times_ms", [[0, 40, 50, 400, 410, 900], [0, 5000, 12000, 12001]])
def test_a_variable_frame_rate_is_kept(tmp_path: Path, times_ms: list[int]) -> None:
    path = clips.write(tmp_path / "screen.mkv", clips.moving(len(times_ms)), times_ms=times_ms)
    frames, _ = _read(path)
    assert _steps_ms(frames) == np.diff(times_ms).tolist()
    assert frames[0].capture_time_ns == 1


@pytest.mark.parametrize(("name", "codec"), [("pi.h264", "libx264"), ("cam.mjpeg", "mjpeg")])
def test_a_video_without_a_clock_moves_on_by_its_frame_rate(tmp_path: Path, name: str, codec: str) -> None:
    pixel_format = "yuv420p" if codec == "libx264" else "yuvj420p"
    frames, _ = _read(clips.write(tmp_path / name, clips.moving(8), codec=codec, pixel_format=pixel_format))
    assert len(frames) == 8
    step = 33.3 if codec == "libx264" else 40.0  # Motion JPEG tells no rate
    assert set(_steps_ms(frames)) == {step}


@pytest.mark.parametrize("index", [0, 7, 19])
def test_an_unreadable_frame_is_a_fault_in_its_place(tmp_path: Path, index: int) -> None:
    path = clips.write(tmp_path / "rec.avi", clips.moving(20), codec="mjpeg", pixel_format="yuvj420p")
    clips.damage(path, b"\xff\xd8\xff", index, 2000)
    frames, faults = _read(path)
    assert len(frames) == 19
    assert [fault.frame_id for fault in faults] == [index + 1]
    assert faults[0].fault is not None
    assert faults[0].fault.code == "unreadable"
    assert f"packet {index + 1} of" in faults[0].fault.message


def test_a_recording_that_is_cut_off_says_so(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "rec.avi", clips.moving(20), codec="mjpeg", pixel_format="yuvj420p")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, faults = _read(path)
    assert 5 <= len(frames) <= 12
    assert any(fault.fault and "must have 20 frames" in fault.fault.message for fault in faults)


@pytest.mark.parametrize(
    "name", [b"caf\xe9.avi", "café.avi".encode(), b"50%03d.avi", b"a:b.avi", b"-y.avi", b"a b?c#d.avi"]
)
def test_any_name_is_only_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes) -> None:
    plain = clips.write(tmp_path / "plain.avi", clips.moving(3), codec="mjpeg", pixel_format="yuvj420p")
    os.rename(plain, os.path.join(os.fsencode(tmp_path), name))
    monkeypatch.chdir(tmp_path)
    assert len(_read(os.fsdecode(name))[0]) == 3


@pytest.mark.parametrize("url", ["file://{}", "file:{}", "FILE://localhost{}"])
def test_a_url_of_a_file(tmp_path: Path, url: str) -> None:
    clips.write(tmp_path / "a b.avi", clips.moving(3), codec="mjpeg", pixel_format="yuvj420p")
    assert len(_read(url.format(f"{tmp_path}/a%20b.avi"))[0]) == 3


@pytest.mark.parametrize(
    "source",
    [
        "a\0b",
        "gopher://x/y",
        "http://h\udce9st/a",
        "http://host/a b",
        "file://elsewhere/x",
        "concat:a|b",
        "frame%03d.jpg",
    ],
)
def test_what_is_no_source_never_reaches_native_code(source: str) -> None:
    with pytest.raises(ConfigError, match="source must be"):
        open_source(source)
