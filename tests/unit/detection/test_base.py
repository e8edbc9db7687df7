"""The size at which a detector sees an image."""

import pytest

from ferserve.detection.base import default_side_px, detection_size


@pytest.mark.parametrize(
    ("height", "width", "side", "size"),
    [
        (240, 320, 0, (256, 320)),
        (480, 640, 0, (256, 320)),
        (720, 1280, 0, (384, 640)),
        (4320, 7680, 0, (384, 640)),
        (480, 640, 160, (128, 160)),
        (480, 640, 5000, (480, 640)),
        (1, 1, 0, (32, 32)),
        (10, 8000, 320, (32, 320)),
    ],
)
def test_the_letterbox_is_the_least_that_holds_the_image(
    height: int, width: int, side: int, size: tuple[int, int]
) -> None:
    assert detection_size(height, width, side) == size


def test_larger_frames_are_looked_at_more_closely_but_not_without_bounds() -> None:
    assert [default_side_px(h, w) for h, w in ((240, 320), (480, 640), (720, 1280), (4320, 7680))] == [
        320,
        320,
        640,
        640,
    ]
