"""Files whose cost does not follow from their size are refused before they are decoded; plain ones are not."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from ferserve.errors import InvalidFrameError
from ferserve.types import EncodedImage, PixelFormat, RawImage
from ferserve.vision.budget import FrameAbandonedError, FrameBudget, FrameLimits
from ferserve.vision.decode import decode
from ferserve.vision.picture import Picture
from ferserve.vision.read_header import read_header
from tests.bombs import TABLES, black, chunk, frame, jpeg, png, progressive, repeated_scans, scan, segment, zeros
from tests.unit.vision.jpegs import RGB, encoded

LIMITS = FrameLimits(max_pixels=50_000_000)


def _decode(data: bytes, limits: FrameLimits = LIMITS, *, color: bool = False) -> Picture:
    return decode(EncodedImage(data), color=color, budget=FrameBudget(limits, len(data)))


SMALL_PIXELS = chunk(b"IDAT", zeros(8 * 9))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: repeated_scans(4000, 90),
            "at most 50331648 bytes of memory to decode (engine.max_expansion), got",
        ),
        (lambda: repeated_scans(8, 3000), "encoded must have at most 100 scans, got a JPEG with more"),
        (lambda: progressive(4000, 90), "frame must take at most 50331648 bytes of memory to decode"),
        (lambda: progressive(7000, 10), "for a JPEG; scale it down, or send a plainer file"),
        (lambda: progressive(8, 5000), "encoded must have at most 100 scans"),
        (lambda: png(6000, 6000, chunk(b"IDAT", b"")), "bytes of memory to decode"),
        (lambda: black("WEBP", 7000, 7000, lossless=True), "for a WEBP"),
        (lambda: black("GIF", 7000, 7000, "P"), "for a GIF"),
        (lambda: black("TIFF", 7000, 1000, "L", compression="tiff_adobe_deflate", tiffinfo={278: 1000}), "for a TIFF"),
        (lambda: b"BM" + struct.pack("<IHHIIiiHHI", 99, 0, 0, 54, 40, 7000, 7000, 1, 8, 1) + bytes(99), "for a BMP"),
        (lambda: b"BM" + struct.pack("<IHHIIHHHH", 99, 0, 0, 26, 12, 20_000, 20_000, 1, 24), "got 20000x20000"),
    ],
)
def test_a_small_file_that_would_cost_much_is_refused(make: Callable[[], bytes], message: str) -> None:
    with pytest.raises(InvalidFrameError) as caught:
        _decode(make())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        black("JPEG", 4000, 3000),
        black("JPEG", 4000, 3000, "L", optimize=True),
        black("JPEG", 1920, 1080, progressive=True),
        black("PNG", 3840, 2160),
        black("WEBP", 3840, 2160, lossless=True),
        black("GIF", 1920, 1080, "P"),
        black("TIFF", 1920, 1080, compression="tiff_adobe_deflate"),
        black("BMP", 1920, 1080),
    ],
)
def test_black_pictures_are_decoded(data: bytes) -> None:
    assert not _decode(data).luma.any()


def test_a_large_file_may_cost_more() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    data = encoded(noise, progressive=True, quality=95)
    tight = FrameLimits(10**6, max_expansion=8)  # 64 KB count at the least: 524 288 bytes
    assert _decode(data, tight).width == 1000
    with pytest.raises(InvalidFrameError, match="at most 524288 bytes"):
        _decode(progressive(1000, 2), tight)


@pytest.mark.parametrize("hidden", [frame(0xC0, 40_000, 40_000), frame(0xC2, 9000, 9000)])
@pytest.mark.parametrize("cover", [b"\xff\x01", b"\xff\xd3", b"\xff\x01\xff\xdb"])
def test_a_second_size_is_not_hidden_behind_the_first(cover: bytes, hidden: bytes) -> None:
    """The decoder takes a marker without a length for what it is; a reader that jumps over ``hidden`` sees 8 x 8."""
    jump = segment(0xFE, hidden)
    for data in (
        jpeg(cover, TABLES, hidden, TABLES, scan(1), bytes(65_500), frame(0xC0, 8, 8)),
        jpeg(jump, cover, TABLES, hidden, frame(0xC0, 8, 8), scan(1)),
        jpeg(TABLES, frame(0xC0, 8, 8), hidden, scan(1)),
    ):
        with pytest.raises(InvalidFrameError):
            _decode(data)


def test_the_decoders_own_size_counts() -> None:
    """Every byte in front of the scan may be another one: the size is the decoder's, or the file is refused."""
    data, random = bytearray(encoded(RGB[:32, :48])), np.random.default_rng(3)
    whole = bytes(data)
    for _ in range(3000):
        data[:] = whole
        for at in random.integers(2, 620, 2):
            data[at] = int(random.integers(256))
        try:
            header = read_header(bytes(data))
            picture = _decode(bytes(data), FrameLimits(10**6))
        except InvalidFrameError:
            continue
        assert {picture.width, picture.height} == {header.width, header.height}


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"a\0\0" + zeros(8_000_000)) * 2,
        chunk(b"iCCP", b"a\0\0" + zeros(8_000_000)),
        chunk(b"iTXt", b"a\0\1\0\0\0" + zeros(8_000_000)),
        chunk(b"tEXt", b"a\0b") * 4000,
        chunk(b"vpAg", bytes(100_000)),
    ],
)
def test_a_png_gets_the_same_pixels_without_its_other_chunks(extra: bytes) -> None:
    data = png(8, 8, extra, SMALL_PIXELS, extra)
    np.testing.assert_array_equal(_decode(data).luma, np.zeros((8, 8)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png(8, 8, chunk(b"tEXt", b"") * 40_000, SMALL_PIXELS), "encoded must be a PNG of at most 17501 chunks"),
        (b"\x89PNG\r\n\x1a\n" + SMALL_PIXELS * 3, "got one that begins with b'IDAT' of "),
        (
            png(8, 8, chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 0, 0, 0, 0)), SMALL_PIXELS),
            "cut or damaged",
        ),
        (black("GIF", 8, 8, "P")[:-1] + b"!\xfe\1a" + b"\1a" * 90_000 + b"\0;", "a GIF of at most 12813 blocks"),
        (black("GIF", 8, 8, "P")[:-1] + b"!\xfe\0" * 200 + b";", "a GIF of at most 100 extensions a frame"),
    ],
)
def test_a_file_of_too_many_parts_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidFrameError) as caught:
        _decode(data)
    assert message in str(caught.value)


def test_a_large_png_holds_no_more_than_its_pixels() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1024, 1 + 1200), np.uint8)
    noise[:, 0] = 0
    for surplus, is_refused in ((b"", False), (bytes(9), False), (bytes(50_000_000), True)):
        packed = zlib.compress(noise.tobytes() + surplus, 1)
        data = png(1200, 1024, chunk(b"IDAT", packed[:1000]), chunk(b"IDAT", packed[1000:]))
        if is_refused:
            with pytest.raises(InvalidFrameError, match="got one with more pixels than its size"):
                _decode(data)
        else:
            np.testing.assert_array_equal(_decode(data).luma, noise[:, 1:])


def _tiff(*fields: tuple[int, int, int, int], body: bytes = b"") -> bytes:
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *field) for field in fields)
    return b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + body


GREY_PAGE = (
    (256, 4, 1, 8),
    (257, 4, 1, 8),
    (258, 3, 1, 8),
    (259, 3, 1, 1),
    (262, 3, 1, 1),
    (273, 4, 1, 8),
    (279, 4, 1, 64),
)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (((256, 4, 1, 20_000), *GREY_PAGE), "got field 256 twice or of type 4"),
        ((*GREY_PAGE[:3], (259, 16, 1, 7), *GREY_PAGE[4:]), "got field 259 twice or of type 16"),
        ((*GREY_PAGE[:5], (322, 4, 1, 4096), (323, 4, 1, 4096), (324, 4, 1, 8), (325, 4, 1, 64)), "for a TIFF"),
    ],
)
def test_a_tiff_that_says_two_things_is_refused(fields: tuple[tuple[int, int, int, int], ...], message: str) -> None:
    with pytest.raises(InvalidFrameError) as caught:
        _decode(_tiff(*fields, body=bytes(64)))
    assert message in str(caught.value)


def test_strips_that_overlap_are_refused() -> None:
    page = {field[0]: field for field in GREY_PAGE}
    at, fields = 8 + 2 + 12 * 7 + 4, 8
    page[273], page[279] = (273, 4, fields, at), (279, 4, fields, at + 4 * fields)
    body = struct.pack("<8I", *[8] * 8) + struct.pack("<8I", *[60] * 8)
    with pytest.raises(InvalidFrameError, match="strips or tiles without overlap, got 8"):
        _decode(_tiff(*page.values(), body=body))


def test_the_pixels_of_all_crops_count_together() -> None:
    crop = black("JPEG", 1000, 1000)
    budget = FrameBudget(FrameLimits(2_500_000), 3 * len(crop))
    for _ in range(2):
        decode(EncodedImage(crop), color=False, budget=budget)
    with pytest.raises(InvalidFrameError, match="at most 2500000 px together, got 3000000 with one of 1000x1000"):
        decode(RawImage(PixelFormat.GRAY8, 1000, 1000, bytes(10**6)), color=False, budget=budget)


def test_the_memory_of_all_crops_counts_together() -> None:
    crop, budget = EncodedImage(black("PNG", 1000, 1000)), FrameBudget(LIMITS, 64 * 1000)
    for _ in range(8):
        decode(crop, color=False, budget=budget)
    with pytest.raises(InvalidFrameError, match=r"50331648 bytes of memory to decode \(engine.max_expansion\)"):
        decode(crop, color=False, budget=budget)


def test_time_bounds_what_is_decoded_and_then_what_follows() -> None:
    with pytest.raises(InvalidFrameError, match=r"at most 0 bytes of memory to decode \(engine.max_frame_ms\)"):
        _decode(encoded(), FrameLimits(10**6, max_frame_ms=1e-6))
    budget = FrameBudget(FrameLimits(10**6, max_frame_ms=1e-6), 100)
    decode(RawImage(PixelFormat.GRAY8, 10, 10, bytes(100)), color=False, budget=budget)
    with pytest.raises(InvalidFrameError, match=r"at most 1e-06 ms of a processor .* before the stage 'detect'"):
        budget.check("detect")
    FrameBudget(LIMITS, 100).check("detect")


def test_a_frame_that_nobody_waits_for_is_given_up() -> None:
    with pytest.raises(FrameAbandonedError):
        FrameBudget(LIMITS, 100, lambda: True).check("infer")
