"""Where frames come from."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferserve.errors import ConfigError, InvalidFrameError
from ferserve.sources.images import payload_of
from ferserve.sources.source import open_source
from ferserve.types import EncodedImage, Frame, PixelFormat, RawImage
from tests import builders


def test_a_recording_has_ids_from_one_its_own_clock_and_is_not_live(tmp_path: Path) -> None:
    opened = open_source(builders.video_file(tmp_path / "clip.avi", frames=10, fps=20))
    frames = list(opened.frames)
    assert not opened.live
    assert [frame.frame_id for frame in frames] == list(range(1, 11))
    assert np.diff([frame.capture_time_ns for frame in frames]) / 1e6 == pytest.approx(50, abs=2)
    payload = frames[0].payload
    assert isinstance(payload, RawImage)
    assert (payload.pixel_format, payload.width, payload.height) == (PixelFormat.BGR24, 640, 480)


def test_a_file_is_a_recording_though_nothing_says_how_long_it_is(tmp_path: Path) -> None:
    """As browsers write them."""
    path = tmp_path / "clip.webm"
    builders.webm_without_duration(path, frames=5, fps=20)
    opened = open_source(path)
    assert not opened.live
    assert np.diff([frame.capture_time_ns for frame in opened.frames]) / 1e6 == pytest.approx([50] * 4, abs=2)


@pytest.mark.parametrize("name", ["clip.mjpeg", "CLIP.MJPG"])
def test_motion_jpeg_is_a_video(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"".join(builders.jpeg_clip(7)))
    opened = open_source(path)
    assert not opened.live
    assert [frame.frame_id for frame in opened.frames] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF"])
def test_an_image_file_is_a_stream_of_one_frame(tmp_path: Path, image_format: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(builders.encoded(builders.rgb_picture(), image_format))
    opened = open_source(str(path))
    assert [frame.payload for frame in opened.frames] == [EncodedImage(path.read_bytes())]
    assert not opened.live


def test_iterables_of_anything() -> None:
    bgr = builders.astronaut()
    own = Frame(77, EncodedImage(b"x"), 5)
    before = time.time_ns()
    frames = list(open_source([bgr, b"abc", own]).frames)
    assert [frame.frame_id for frame in frames] == [1, 2, 77]
    assert frames[1].payload == EncodedImage(b"abc")
    assert frames[2] is own
    assert before <= frames[0].capture_time_ns <= time.time_ns()


def test_arrays_are_not_copied_needlessly() -> None:
    bgr = builders.scene()
    payload = payload_of(bgr)
    assert isinstance(payload, RawImage)
    assert np.shares_memory(payload.data, bgr)


@pytest.mark.parametrize("source", ["/nowhere.mp4", 987, -1, 10**20, None, "rtsp://127.0.0.1:9/nothing"])
def test_what_cannot_be_opened_is_one_of_our_errors(source: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="source must be"):
        open_source(source)


def test_a_file_that_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no pixels here")
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_source(path)


@pytest.mark.parametrize(
    "image", [None, 3.5, np.full((4, 4, 3), 2.0), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)]
)
def test_what_is_no_image_is_refused(image: object) -> None:
    with pytest.raises(InvalidFrameError, match="image must be"):
        payload_of(image)  # type: ignore[arg-type]


def test_a_binary_file_is_a_source_and_stays_open(tmp_path: Path) -> None:
    path = builders.video_file(tmp_path / "clip.avi", frames=3)
    memory = io.BytesIO(path.read_bytes())
    with path.open("rb") as file:
        for source in (file, memory):
            opened = open_source(source)
            assert not opened.live
            assert len(list(opened.frames)) == 3
            assert not source.closed
    picture = builders.jpeg(builders.astronaut())
    assert [frame.payload for frame in open_source(io.BytesIO(picture)).frames] == [EncodedImage(picture)]
    with pytest.raises(ConfigError, match="open it with mode 'rb'"):
        open_source(io.StringIO("text"))


def test_a_pipe_counts_as_live() -> None:
    reading, writing = os.pipe()
    with open(writing, "wb") as sender, open(reading, "rb") as pipe:
        sender.write(b"".join(builders.jpeg_clip(2, width=160, height=120)))
        sender.close()
        opened = open_source(pipe)
        assert opened.live
        assert len(list(opened.frames)) == 2


def test_a_gif_of_several_frames_is_a_video(tmp_path: Path) -> None:
    moving, still = tmp_path / "moving.jpg", tmp_path / "still"
    moving.write_bytes(builders.animated("GIF"))
    still.write_bytes(builders.encoded(builders.rgb_picture(), "GIF"))
    assert [type(frame.payload) for frame in open_source(moving).frames] == [RawImage, RawImage]
    assert [frame.payload for frame in open_source(still).frames] == [EncodedImage(still.read_bytes())]
