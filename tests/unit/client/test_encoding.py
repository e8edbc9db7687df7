"""How arrays are packed for the way."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ferserve.client.encoding import ArrayPacker, is_local, wants_jpeg
from ferserve.errors import InvalidOptionsError
from ferserve.sources.arrays import raw_image
from ferserve.types import EncodedImage, PixelFormat, RawImage
from tests import builders

BGR = builders.scene(0.3)
LUMA = cv2.cvtColor(BGR, cv2.COLOR_BGR2GRAY)


def _decoded(packed: object) -> np.ndarray:
    assert isinstance(packed, EncodedImage)
    return cv2.imdecode(np.frombuffer(packed.data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_raw_arrays_travel_as_they_are() -> None:
    pack = ArrayPacker(jpeg=False, luma=False)
    packed = pack(raw_image(BGR))
    assert isinstance(packed, RawImage)
    assert packed.pixel_format is PixelFormat.BGR24
    np.testing.assert_array_equal(packed.data, BGR)


def test_unused_colour_is_dropped() -> None:
    packed = ArrayPacker(jpeg=False, luma=True)(raw_image(BGR))
    assert isinstance(packed, RawImage)
    assert (packed.pixel_format, packed.width, packed.height) == (PixelFormat.GRAY8, 640, 480)
    np.testing.assert_array_equal(packed.data, LUMA)


@pytest.mark.parametrize("luma", [True, False])
def test_jpeg_looks_like_the_array(luma: bool) -> None:
    decoded = _decoded(ArrayPacker(jpeg=True, luma=luma, quality=95)(raw_image(BGR)))
    expected = LUMA if luma else BGR
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).mean() < 2


def test_quality_is_obeyed() -> None:
    small, large = (ArrayPacker(jpeg=True, luma=True, quality=q)(raw_image(BGR)) for q in (30, 95))
    assert isinstance(small, EncodedImage)
    assert isinstance(large, EncodedImage)
    assert len(small.data) < len(large.data) / 2


def test_an_array_too_large_for_a_message_is_compressed() -> None:
    image = raw_image(BGR)
    assert isinstance(ArrayPacker(jpeg=False, luma=False, max_raw_bytes=BGR.nbytes)(image), RawImage)
    assert isinstance(ArrayPacker(jpeg=False, luma=False, max_raw_bytes=BGR.nbytes - 1)(image), EncodedImage)
    assert isinstance(ArrayPacker(jpeg=False, luma=True, max_raw_bytes=BGR.nbytes - 1)(image), RawImage)


def test_payloads_of_the_user_are_not_touched() -> None:
    pack = ArrayPacker(jpeg=True, luma=True)
    for payload in (EncodedImage(b"x"), RawImage(PixelFormat.BGR24, 640, 480, BGR.tobytes())):
        assert pack(payload) is payload


@pytest.mark.parametrize(
    ("target", "local"),
    [
        ("127.0.0.1:50051", True),
        ("localhost:1", True),
        ("[::1]:50051", True),
        ("unix:/run/ferserve.sock", True),
        ("dns:///localhost:5", True),
        ("10.0.0.7:50051", False),
        ("camera-hub.example:50051", False),
        ("[2001:db8::1]:50051", False),
    ],
)
def test_auto_compresses_for_other_machines_alone(target: str, local: bool) -> None:
    assert is_local(target) is local
    assert wants_jpeg("auto", target) is not local
    assert wants_jpeg("jpeg", target)
    assert not wants_jpeg("raw", target)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(InvalidOptionsError, match="encoding must be auto, raw or jpeg, got 'png'"):
        wants_jpeg("png", "localhost:1")  # type: ignore[arg-type]
