"""GIF and TIFF: the pixels of the first frame or page agree with Pillow, and what is lost is a fault."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from ferserve.errors import InvalidFrameError
from ferserve.types import EncodedImage
from ferserve.vision.budget import FrameBudget, FrameLimits
from ferserve.vision.decode import decode
from ferserve.vision.picture import Picture
from tests import builders

PICTURE = builders.rgb_picture().resize((128, 96))
RED = Image.new("RGB", PICTURE.size, "red")
COMPRESSIONS = [None, "tiff_lzw", "tiff_adobe_deflate"]
_WIDTH, _HEIGHT, _PHOTOMETRIC, _STRIP_BYTES = 256, 257, 262, 279


def _decoded(data: bytes, max_pixels: int = 1_000_000) -> Picture:
    return decode(EncodedImage(data), color=True, budget=FrameBudget(FrameLimits(max_pixels), len(data)))


def _bgr(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image.convert("RGB"))[:, :, ::-1]


def _with_field(tiff: bytes, tag: int, value: int) -> bytes:
    """``tiff`` (little-endian) with another value, a LONG, in a field of its first directory."""
    (start,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", tiff, at)[0] == tag:
            return tiff[: at + 2] + struct.pack("<HII", 4, 1, value) + tiff[at + 12 :]
    raise AssertionError(f"no field {tag}")


def _tiled(big_endian: bool, planar: bool) -> bytes:
    """96 x 64 px of RGB in tiles of 64 x 64, written by hand: Pillow writes none."""
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, :96] = np.asarray(PICTURE)[:64, :96]
    tiles = [pixels[:, :64], pixels[:, 64:]]
    blocks = [t[:, :, c].tobytes() for c in range(3) for t in tiles] if planar else [t.tobytes() for t in tiles]
    order, body = (">" if big_endian else "<"), b"".join(blocks)
    n, size = len(blocks), len(blocks[0])
    longs_at = 8 + len(body)
    offsets, bits_at = [8 + i * size for i in range(n)], longs_at + 8 * n
    fields = [(256, 4, 1, 96), (257, 4, 1, 64), (258, 3, 3, bits_at), (259, 4, 1, 1), (262, 4, 1, 2), (277, 4, 1, 3)]
    fields += [(284, 4, 1, 2 if planar else 1), (322, 4, 1, 64), (323, 4, 1, 64)]
    fields += [(324, 4, n, longs_at), (325, 4, n, longs_at + 4 * n)]
    tail = struct.pack(f"{order}{2 * n}I3H", *offsets, *[size] * n, 8, 8, 8)
    directory = struct.pack(order + "H", len(fields)) + b"".join(struct.pack(order + "HHII", *f) for f in fields)
    magic = b"MM\0*" if big_endian else b"II*\0"
    return magic + struct.pack(order + "I", bits_at + 6) + body + tail + directory + bytes(4)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "CMYK"])
def test_tiffs_of_every_mode(mode: str, compression: str | None) -> None:
    image = PICTURE.convert(mode)
    picture = _decoded(builders.encoded(image, "TIFF", compression=compression))
    assert picture.bgr is not None
    np.testing.assert_array_equal(picture.bgr, _bgr(image))
    assert picture.degraded == ""


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("planar", [False, True])
def test_tiles(big_endian: bool, planar: bool) -> None:
    np.testing.assert_array_equal(_decoded(_tiled(big_endian, planar)).bgr, _bgr(PICTURE)[:64, :96])


def test_a_tiff_whose_white_is_zero() -> None:
    tiff = _with_field(builders.encoded(PICTURE.convert("L"), "TIFF"), _PHOTOMETRIC, 0)
    np.testing.assert_array_equal(_decoded(tiff).luma, 255 - np.asarray(PICTURE.convert("L")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_turned_tiff_comes_out_upright(mode: str, orientation: int) -> None:
    image = PICTURE.convert(mode)
    picture = _decoded(builders.encoded(image, "TIFF", tiffinfo={0x0112: orientation}))
    image.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(picture.bgr, _bgr(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize(
    ("image_format", "note"),
    [("GIF", "only the first frame of a GIF was taken"), ("TIFF", "only the first page of a TIFF was taken")],
)
def test_the_first_of_several_is_taken_and_noted(image_format: str, note: str) -> None:
    first = builders.encoded(PICTURE, image_format)
    several = builders.encoded(PICTURE, image_format, save_all=True, append_images=[RED])
    np.testing.assert_array_equal(_decoded(several).bgr, _decoded(first).bgr)
    assert (_decoded(first).degraded, _decoded(several).degraded) == ("", note)


@pytest.mark.parametrize("interlace", [0, 1])
def test_gifs(interlace: int) -> None:
    image = PICTURE.convert("P")
    data = builders.encoded(image, "GIF", interlace=interlace)
    np.testing.assert_array_equal(_decoded(data).bgr, _bgr(image))
    without_trailer = _decoded(data[:-1])
    np.testing.assert_array_equal(without_trailer.bgr, _bgr(image))
    assert without_trailer.degraded == "missing trailer of a GIF"


@pytest.mark.parametrize("step", [1, 97])
def test_a_gif_or_tiff_that_is_cut_off_is_a_fault(step: int) -> None:
    files = [builders.encoded(PICTURE, "TIFF", compression=compression) for compression in COMPRESSIONS]
    for data in [*files, builders.encoded(PICTURE, "GIF")[:-1], _tiled(False, False)]:
        lengths = range(len(data) - 4 * step, len(data) - 4, step) if step > 1 else range(8, 200)
        for length in lengths:
            with pytest.raises(InvalidFrameError):
                _decoded(data[:length])


@pytest.mark.parametrize("compression", COMPRESSIONS[1:])
def test_a_hole_in_the_pixels_of_a_tiff_is_a_fault(compression: str) -> None:
    data = builders.encoded(PICTURE, "TIFF", compression=compression)
    with pytest.raises(InvalidFrameError, match="must be a whole TIFF"):
        _decoded(data[:9000] + bytes(500) + data[9500:])


def test_one_changed_byte_of_a_deflated_tiff_is_a_fault() -> None:
    data = builders.encoded(PICTURE, "TIFF", compression="tiff_adobe_deflate")
    with pytest.raises(InvalidFrameError, match="must be a whole TIFF"):
        _decoded(data[:9000] + bytes([data[9000] ^ 0x55]) + data[9001:])


def _gif(width: int, height: int, frames: bytes = b"") -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + frames + b";"


_TIFF = builders.encoded(PICTURE, "TIFF")
_DEFLATED = builders.encoded(PICTURE, "TIFF", compression="tiff_adobe_deflate")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_gif(10, 10), "without frames"),
        (_gif(10, 10, b"\x2c" + struct.pack("<HHHHB", 5, 5, 10, 5, 0) + b"\x02\0"), "lies on its canvas"),
        (_gif(60_000, 60_000, b"\x2c" + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\x02\0"), "at most 1000000"),
        (_gif(0, 0, b"\x2c" + struct.pack("<HHHHB", 0, 0, 0, 0, 0) + b"\x02\0"), "at least 1x1"),
        (_gif(10, 10, b"\x2c" + struct.pack("<HHHHB", 0, 0, 10, 10, 0) + b"\x02\0"), "must be a whole GIF"),
        (_with_field(_TIFF, _WIDTH, 2**31), "at most 1000000 px"),
        (_with_field(_DEFLATED, _HEIGHT, 7000), "damaged or missing pixels"),
        (_with_field(_DEFLATED, _HEIGHT, 12), "damaged or missing pixels"),
        (_with_field(_TIFF, _HEIGHT, 0), "at least 1x1"),
        (_with_field(_TIFF, _STRIP_BYTES, 100), "damaged or missing pixels"),
        (_with_field(_TIFF, _STRIP_BYTES, 2**32 - 1), "must be a whole TIFF"),
        (_with_field(_TIFF, _PHOTOMETRIC, 8), "photometric code 8"),
        (_with_field(_tiled(False, False), 322, 2**31), "tiles of about its own size"),
        (_with_field(_tiled(False, False), 322, 0), "tiles of about its own size"),
        (builders.encoded(builders.image_16_bit(), "TIFF"), "got a TIFF with 16"),
        (builders.encoded(PICTURE.convert("F"), "TIFF"), "got a TIFF with 32"),
        (builders.encoded(PICTURE.convert("1"), "TIFF"), "got a TIFF with 1"),
        (builders.encoded(PICTURE, "TIFF", compression="jpeg"), "compression code 7"),
        (builders.encoded(PICTURE, "TIFF", big_tiff=True), "a BigTIFF"),
    ],
)
def test_what_cannot_be_right_is_a_fault_that_says_why(data: bytes, message: str) -> None:
    with pytest.raises(InvalidFrameError, match=message):
        _decoded(data)


@pytest.mark.parametrize("data", [_TIFF, _DEFLATED, _tiled(True, True), builders.encoded(PICTURE, "GIF")])
def test_random_damage_is_a_picture_or_a_fault(data: bytes) -> None:
    random = np.random.default_rng(3)
    for _ in range(300):
        damaged = bytearray(data)
        ends = [*range(64), *range(len(data) - 200, len(data))]
        for at in random.choice(ends, 3):
            damaged[at] = random.integers(256)
        try:
            picture = _decoded(bytes(damaged))
        except InvalidFrameError:
            continue
        assert picture.width * picture.height <= 1_000_000
