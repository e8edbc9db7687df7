"""HEIC and AVIF are pictures like any other, if their extra is installed."""

from __future__ import annotations

import contextlib
import io
import sys

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ferserve.errors import InvalidFrameError
from ferserve.types import EncodedImage
from ferserve.vision.decode import decode
from ferserve.vision.read_header import read_header
from tests import builders

PICTURE = builders.rgb_picture().resize((200, 150))
CODECS = ("heic", "avif")
MAX_PIXELS = 1_000_000


def _encoded(codec: str, image: Image.Image = PICTURE, *more: Image.Image, orientation: int = 1) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    if codec == "avif":
        image.save(buffer, "AVIF", quality=95, exif=exif, save_all=bool(more), append_images=more)
        return buffer.getvalue()
    file = pillow_heif.from_pillow(image)
    for page in more:
        file.add_from_pillow(page)
    file.save(buffer, quality=95, exif=exif.tobytes())
    return buffer.getvalue()


def _mean_error(pixels: NDArray[np.uint8] | None, image: Image.Image, mode: str = "RGB") -> float:
    assert pixels is not None
    expected = np.asarray(image.convert(mode), np.int16)
    assert pixels.shape == expected.shape
    return float(np.abs(pixels - expected).mean())


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.parametrize("codec", CODECS)
def test_pixels_are_those_of_the_picture(codec: str, mode: str) -> None:
    image = PICTURE.convert(mode)
    picture = decode(EncodedImage(_encoded(codec, image)), color=True, max_pixels=MAX_PIXELS)
    assert picture.bgr is not None
    assert _mean_error(picture.bgr[:, :, ::-1], image) < 3
    assert _mean_error(picture.luma, PICTURE, "L") < 3
    assert picture.degraded == ""


@pytest.mark.parametrize("bits", [10, 12])
def test_more_bits_become_eight(bits: int) -> None:
    luma = np.asarray(PICTURE.convert("L"), np.uint16)
    buffer = io.BytesIO()
    heic = pillow_heif.from_bytes("I;16", PICTURE.size, (luma * 257).tobytes())
    heic.save(buffer, quality=95, bit_depth=bits)
    picture = decode(EncodedImage(buffer.getvalue()), color=False, max_pixels=MAX_PIXELS)
    assert _mean_error(picture.luma, PICTURE, "L") < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("codec", CODECS)
def test_a_turned_photograph_comes_out_upright(codec: str, orientation: int) -> None:
    picture = decode(EncodedImage(_encoded(codec, orientation=orientation)), color=False, max_pixels=MAX_PIXELS)
    turned = PICTURE.copy()
    turned.getexif()[0x0112] = orientation
    assert _mean_error(picture.luma, ImageOps.exif_transpose(turned), "L") < 3


@pytest.mark.parametrize("codec", CODECS)
def test_every_cut_is_an_invalid_frame(codec: str) -> None:
    whole = _encoded(codec)
    for length in (12, 60, 200, 300, len(whole) // 2, len(whole) - 1):
        with pytest.raises(InvalidFrameError, match="encoded must be a whole"):
            decode(EncodedImage(whole[:length]), color=False, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("codec", CODECS)
def test_junk_is_an_invalid_frame(codec: str) -> None:
    random = np.random.default_rng(7)
    whole = _encoded(codec)
    for at in range(0, 400, 5):
        broken = bytearray(whole)
        broken[at : at + 4] = random.bytes(4)
        with contextlib.suppress(InvalidFrameError):
            decode(EncodedImage(bytes(broken)), color=False, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(
    ("codec", "note"),
    [
        ("heic", "only the primary image of a HEIC was taken"),
        ("avif", "only the first frame of an AVIF was taken"),
    ],
)
def test_what_is_left_out_is_said(codec: str, note: str) -> None:
    picture = decode(EncodedImage(_encoded(codec, PICTURE, PICTURE)), color=False, max_pixels=MAX_PIXELS)
    assert picture.degraded == note


@pytest.mark.parametrize("codec", CODECS)
def test_the_size_is_known_before_anything_is_decoded(codec: str) -> None:
    header = read_header(_encoded(codec))
    assert (header.codec, header.width, header.height) == (codec, 200, 150)
    with pytest.raises(InvalidFrameError, match="at most 29999 px, got 200x150"):
        decode(EncodedImage(_encoded(codec)), color=False, max_pixels=29_999)


@pytest.mark.parametrize(
    ("codec", "module", "package"), [("heic", "pillow_heif", "pillow-heif"), ("avif", "PIL.AvifImagePlugin", "pillow")]
)
def test_without_the_extra_the_message_names_the_package(
    monkeypatch: pytest.MonkeyPatch, codec: str, module: str, package: str
) -> None:
    data = _encoded(codec)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InvalidFrameError, match=f"cannot decode a {codec.upper()}.*pip install '?{package}"):
        read_header(data)


@pytest.mark.parametrize("brand", [b"isom", b"mp42", b"qt  "])
def test_a_video_is_none(brand: bytes) -> None:
    with pytest.raises(InvalidFrameError, match="got a video"):
        read_header(b"\0\0\0\x18ftyp" + brand + b"\0\0\2\0" + brand + b"mp41")
