"""Sizes read from headers agree with Pillow, and bombs stay undecoded."""

import io

import numpy as np
import pytest
from PIL import Image

from ferserve.errors import InvalidFrameError
from ferserve.vision.read_header import read_header


def _encoded(codec: str, size: tuple[int, int] = (37, 23), mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, codec, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        ("jpeg", _encoded("JPEG")),
        ("jpeg", _encoded("JPEG", mode="L", progressive=True)),
        ("jpeg", _encoded("JPEG", comment=b"x" * 60_000)),
        ("jpeg", _encoded("JPEG").replace(b"\xff\xdb", b"\xff" * 1_000_000 + b"\xdb", 1)),
        ("png", _encoded("PNG")),
        ("png", _encoded("PNG", mode="P")),
        ("webp", _encoded("WEBP")),
        ("webp", _encoded("WEBP", lossless=True)),
        ("webp", _encoded("WEBP", mode="RGBA", exif=b"Exif\0\0")),
        ("bmp", _encoded("BMP")),
        ("bmp", _encoded("BMP", mode="L")),
        ("gif", _encoded("GIF", mode="P")),
        ("gif", _encoded("GIF", save_all=True, append_images=[Image.new("RGB", (37, 23), "red")])),
        ("tiff", _encoded("TIFF")),
        ("tiff", _encoded("TIFF", big_tiff=False, compression="tiff_lzw")),
    ],
)
def test_codec_and_size(codec: str, data: bytes) -> None:
    header = read_header(data)
    assert (header.codec, header.width, header.height) == (codec, 37, 23)


def test_headers_that_were_seen_before_are_not_mixed_up() -> None:
    """Cameras take turns, as they do in a server; some differ in the last bytes before the pixels alone."""
    sizes = [(32 + i % 3, 24 + i // 3) for i in range(12)]
    files = [_encoded("JPEG", size) for size in sizes]
    for _ in range(3):
        assert [(h.width, h.height) for h in map(read_header, files)] == sizes
    turned = Image.Exif()
    turned[0x0112] = 6
    assert read_header(_encoded("JPEG", sizes[0], exif=turned)).orientation == 6
    assert read_header(files[0]).orientation == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert read_header(_encoded("JPEG", exif=exif)).orientation == orientation


@pytest.mark.parametrize("codec", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_cut_of_a_header_is_an_invalid_frame(codec: str) -> None:
    data = _encoded(codec)
    for length in range(16):
        with pytest.raises(InvalidFrameError):
            read_header(data[:length])


def test_random_bytes_after_a_signature_never_crash() -> None:
    random = np.random.default_rng(1)
    for signature in (
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"BM",
        b"GIF89a",
        b"II*\0\x08\0\0\0",
    ):
        for _ in range(300):
            try:
                header = read_header(signature + random.bytes(int(random.integers(0, 64))))
            except InvalidFrameError:
                continue
            assert header.width > 0
            assert header.height > 0


def _with_giant_chunk(png: bytes) -> bytes:
    """The pixels' chunk claims four gigabytes."""
    at = png.index(b"IDAT")
    return png[: at - 4] + b"\xff\0\0\0" + png[at:]


def test_bytes_after_the_end_of_a_png_are_ignored() -> None:
    assert read_header(_encoded("PNG") + b"\xff" * 100) == read_header(_encoded("PNG"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_with_giant_chunk(_encoded("PNG")), "must be a whole PNG, got one cut off in b'IDAT' of 4278190080 bytes"),
        (_encoded("PNG").replace(b"IDATx", b"IDATy"), "must be a whole PNG, got one that is damaged in b'IDAT'"),
        (_encoded("PNG")[:-13], "must be a whole PNG, got one cut off in b'IDAT'"),
        (b"", "must be an image file, got 0 bytes"),
        (b"hello world", "got 11 bytes that start with 68 65 6c 6c"),
        (_encoded("JPEG", mode="CMYK"), "4 channels (CMYK)"),
        (_encoded("PNG", mode="I;16"), "got a PNG with 16"),
        (_encoded("PNG", save_all=True, append_images=[Image.new("RGB", (37, 23), "red")]), "animated PNG"),
        (_encoded("WEBP", save_all=True, append_images=[Image.new("RGB", (37, 23), "red")]), "animated WebP"),
    ],
)
def test_what_cannot_be_read_is_named(data: bytes, message: str) -> None:
    with pytest.raises(InvalidFrameError) as caught:
        read_header(data)
    assert message in str(caught.value)


def test_a_jpeg_that_says_nothing_for_long_is_not_read_to_its_end() -> None:
    whole = _encoded("JPEG")
    with pytest.raises(InvalidFrameError, match="1000 segments before any pixels"):
        read_header(whole[:2] + b"\xff\xfe\0\2" * 1000 + whole[2:])
