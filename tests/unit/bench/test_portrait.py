"""The drawn face of the bench is a face to the bundled models, at the sizes that cameras give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest

import ferserve
from ferserve.bench.clips import make_clip
from ferserve.bench.portrait import FACE, SIDE, draw_portrait


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    return both / (sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)) - both)


@pytest.fixture(scope="module")
def client() -> Iterator[ferserve.LocalClient]:
    with ferserve.LocalClient(ferserve.EngineConfig(model="emotion-lite", threads=1)) as client:
        yield client


def test_it_is_the_same_on_every_call() -> None:
    portrait = draw_portrait()
    assert (portrait.shape, portrait.dtype) == ((SIDE, SIDE, 3), np.uint8)
    np.testing.assert_array_equal(portrait, draw_portrait())


@pytest.mark.parametrize(("side", "width", "height"), [(128, 640, 480), (320, 640, 480), (512, 1280, 720)])
def test_it_is_found_where_it_was_drawn(client: ferserve.LocalClient, side: int, width: int, height: int) -> None:
    picture = np.full((height, width, 3), 120, np.uint8)
    x, y = (width - side) // 2, (height - side) // 2
    small = cv2.resize(draw_portrait(), (side, side), interpolation=cv2.INTER_AREA)
    picture[y : y + side, x : x + side] = small
    (face,) = client.classify(picture).faces
    assert face.score > 0.8
    assert face.sure
    drawn = [v * side / SIDE + offset for v, offset in zip(FACE, (x, y, x, y), strict=True)]
    assert iou(face.box, drawn) > 0.85


def test_a_clip_of_it_shows_every_face_in_every_frame(client: ferserve.LocalClient) -> None:
    clip = make_clip("", 640, 480, faces=2, fps=3)
    for jpeg, boxes in zip(clip.frames, clip.boxes, strict=True):
        faces = sorted(client.classify(jpeg).faces, key=lambda face: face.box)
        assert [iou(face.box, box) > 0.7 for face, box in zip(faces, boxes, strict=True)] == [True, True]
