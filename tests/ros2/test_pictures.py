"""Pictures of sensor_msgs, as the server decodes them."""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np
import pytest

from ferserve.types import RawImage
from ferserve.vision.raw_layouts import decode_raw
from tests.builders import scene

WIDTH, HEIGHT = 64, 48
BGR = cv2.GaussianBlur(scene(width=WIDTH, height=HEIGHT, scale=0.15), (5, 5), 0)


def _i420() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    planes = cv2.cvtColor(BGR, cv2.COLOR_BGR2YUV_I420).ravel()
    quarter = WIDTH * HEIGHT // 4
    return planes[: 4 * quarter].reshape(HEIGHT, WIDTH), planes[4 * quarter : 5 * quarter], planes[5 * quarter :]


def _packed(order: str) -> np.ndarray:
    """4:2:2 with two pixels in four bytes."""
    luma, *chroma = _i420()
    u, v = (np.repeat(plane.reshape(HEIGHT // 2, WIDTH // 2), 2, axis=0) for plane in chroma)
    samples = {"Y": luma[:, ::2], "y": luma[:, 1::2], "U": u, "V": v}
    return np.stack([samples[name] for name in order], 2).reshape(HEIGHT, WIDTH * 2)


def _planar(first: int) -> np.ndarray:
    luma, *chroma = _i420()
    pairs = np.stack([chroma[first], chroma[1 - first]], 1).reshape(HEIGHT // 2, WIDTH)
    return np.concatenate([luma, pairs])


GRAY = cv2.cvtColor(BGR, cv2.COLOR_BGR2GRAY)
ROWS: dict[str, np.ndarray] = {
    "mono8": GRAY,
    "8UC1": GRAY,
    "bgr8": BGR.reshape(HEIGHT, -1),
    "8UC3": BGR.reshape(HEIGHT, -1),
    "rgb8": BGR[..., ::-1].reshape(HEIGHT, -1),
    "bgra8": cv2.cvtColor(BGR, cv2.COLOR_BGR2BGRA).reshape(HEIGHT, -1),
    "8UC4": cv2.cvtColor(BGR, cv2.COLOR_BGR2BGRA).reshape(HEIGHT, -1),
    "rgba8": cv2.cvtColor(BGR, cv2.COLOR_BGR2RGBA).reshape(HEIGHT, -1),
    "yuyv": _packed("YUyV"),
    "yuv422_yuy2": _packed("YUyV"),
    "uyvy": _packed("UYVy"),
    "yuv422": _packed("UYVy"),
    "nv12": _planar(0),
    "nv21": _planar(1),
}
"""The rows of one picture in every encoding, without padding."""


def image(encoding: str, /, padding: int = 0, **changes: Any) -> Any:
    """A message, with so many bytes of rubbish behind each row."""
    from sensor_msgs.msg import Image

    rows = ROWS.get(encoding, GRAY)
    padded = np.concatenate([rows, np.full((len(rows), padding), 77, np.uint8)], 1)
    data = array.array("B", padded.tobytes())
    fields = {"height": HEIGHT, "width": WIDTH, "step": padded.shape[1], "encoding": encoding, "data": data}
    return Image(**fields | changes)


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize("encoding", ROWS)
def test_every_encoding_shows_the_same_picture(encoding: str, padding: int) -> None:
    from ferserve_ros.pictures import payload_of

    payload = payload_of(image(encoding, padding, is_bigendian=1))
    assert isinstance(payload, RawImage)
    decoded = decode_raw(payload, color=True)
    chroma_is_shared = encoding.startswith(("y", "u", "n"))
    np.testing.assert_array_equal(decoded.luma, _i420()[0] if chroma_is_shared else GRAY)
    if "mono" not in encoding and encoding != "8UC1":
        assert decoded.bgr is not None
        off = np.abs(decoded.bgr.astype(int) - BGR)
        assert off.mean() < (6 if chroma_is_shared else 0.01)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "mono16"}, "encoding must be one of .*, got 'mono16'; convert it"),
        ({"encoding": "bayer_rggb8"}, "encoding must be one of .*, got 'bayer_rggb8'"),
        ({"encoding": ""}, "encoding must be one of .*, got ''"),
        ({"width": 0}, "width and height must be at least 1 px, got 0x48"),
        ({"height": 0, "data": b""}, "width and height must be at least 1 px, got 64x0"),
        ({"step": 63}, "step must be at least 64 bytes for mono8, got 63"),
        ({"data": b"short"}, "data must have 3072 bytes for 48 rows of 64, got 5"),
        ({"data": b""}, "data must have 3072 bytes for 48 rows of 64, got 0"),
    ],
)
def test_a_picture_that_cannot_be_sent_is_refused_in_plain_words(changes: dict[str, Any], words: str) -> None:
    from ferserve_ros.pictures import PictureError, payload_of

    with pytest.raises(PictureError, match=words):
        payload_of(image("mono8", **changes))


def test_compressed_pictures_travel_as_they_are() -> None:
    from ferserve_ros.pictures import PictureError, encoded_payload_of
    from sensor_msgs.msg import CompressedImage

    made = CompressedImage(format="rgb8; jpeg compressed bgr8", data=array.array("B", b"\xff\xd8jpeg"))
    assert encoded_payload_of(made).data == b"\xff\xd8jpeg"
    with pytest.raises(PictureError, match="data must hold a picture, got 0 bytes"):
        encoded_payload_of(CompressedImage(format="jpeg"))
    with pytest.raises(PictureError, match="got '16UC1; compressedDepth', which is a depth image"):
        encoded_payload_of(CompressedImage(format="16UC1; compressedDepth", data=b"1"))
