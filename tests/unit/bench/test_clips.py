"""The films that load generators play."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from ferserve.bench.clips import make_clip
from ferserve.errors import ConfigError
from tests import builders


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), np.float32)


def test_every_frame_is_a_jpeg_of_the_size_that_was_asked_for() -> None:
    clip = make_clip("", 320, 240, 1, 4)
    assert len(clip.frames) == len(clip.boxes) == 32
    for frame in clip.frames:
        with Image.open(io.BytesIO(frame)) as image:
            assert (image.format, image.size) == ("JPEG", (320, 240))


def test_faces_move_and_the_end_leads_back_to_the_beginning() -> None:
    clip = make_clip("", 320, 240, 1, 8)
    centres = np.array([[(b[0][0] + b[0][2]) / 2, (b[0][1] + b[0][3]) / 2] for b in clip.boxes])
    steps = np.linalg.norm(np.diff(np.concatenate([centres, centres[:1]]), axis=0), axis=1)
    assert np.ptp(centres, axis=0).min() > 10
    assert steps[-1] <= steps[:-1].max() * 1.01


@pytest.mark.parametrize("faces", [1, 2, 4])
def test_boxes_hold_a_face_each(faces: int) -> None:
    """The portrait's eyes are darker than its cheeks, wherever it was drawn."""
    clip = make_clip("", 640, 480, faces, 2)
    for frame, boxes in zip(clip.frames, clip.boxes, strict=True):
        picture = pixels(frame)
        assert len(boxes) == faces
        for x0, y0, x1, y1 in boxes:
            width, height = x1 - x0, y1 - y0
            rows = picture[round(y0) : round(y1), round(x0) : round(x1)]
            assert rows.shape[0] > 30
            eyes = picture[
                round(y0 + 0.34 * height) : round(y0 + 0.46 * height),
                round(x0 + 0.2 * width) : round(x0 + 0.45 * width),
            ]
            cheek = picture[
                round(y0 + 0.6 * height) : round(y0 + 0.7 * height),
                round(x0 + 0.2 * width) : round(x0 + 0.35 * width),
            ]
            assert eyes.min() < cheek.mean() - 25


def test_an_image_of_ones_own_is_filmed(tmp_path) -> None:
    path = tmp_path / "me.png"
    Image.fromarray(np.full((60, 40, 3), (200, 30, 30), np.uint8)).save(path)
    clip = make_clip(str(path), 64, 64, 2, 1)
    assert clip.boxes == ((),) * len(clip.frames)
    assert pixels(clip.frames[0]).std() > 0


def test_a_video_of_ones_own_plays_there_and_back(tmp_path) -> None:
    import cv2

    path = tmp_path / "me.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in range(0, 250, 50):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    clip = make_clip(str(path), 32, 32, 1, 10)
    levels = [pixels(frame).mean() for frame in clip.frames]
    assert levels == pytest.approx([0, 50, 100, 150, 200, 150, 100, 50], abs=6)


@pytest.mark.parametrize("name", ["missing.png", "text.png"])
def test_a_source_that_cannot_be_read_is_an_error_that_names_it(tmp_path, name: str) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ConfigError, match=f"--source must be .*{name}"):
        make_clip(str(tmp_path / name), 32, 32, 1, 1)


@pytest.mark.parametrize("from_video", [False, True])
def test_never_more_than_a_few_pictures_are_held_raw(tmp_path, from_video: bool) -> None:
    path = builders.video_file(tmp_path / "me.avi", frames=40) if from_video else ""
    picture_bytes = 640 * 480 * 3
    tracemalloc.start()
    try:
        clip = make_clip(str(path), 640, 480, 1, 5)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(clip.frames) >= 40
    assert most < sum(map(len, set(clip.frames))) + 24 * picture_bytes
