"""Orientation as Pillow sees it, however a camera notes it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from ferserve.types import EncodedImage
from ferserve.vision.decode import decode
from ferserve.vision.exif import orientation_of
from ferserve.vision.read_header import read_header
from tests.unit.vision.budgets import unlimited
from tests.unit.vision.jpegs import RGB, encoded, header_segments

FORMATS = {1: "B", 3: "H", 4: "I"}


def _tiff(orientation: int, order: str = "<", kind: int = 3, entries_before: int = 1) -> bytes:
    """An Exif block with the orientation behind some other entries."""
    other = struct.pack(order + "HHII", 0x010F, 2, 4, 0x41414100)
    value = struct.pack(order + FORMATS[kind], orientation).ljust(4, b"\0")
    entry = struct.pack(order + "HHI", 0x0112, kind, 1) + value
    directory = struct.pack(order + "H", entries_before + 1) + other * entries_before + entry + bytes(4)
    return (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8) + directory


def _app1(block: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block


def _with(segment: bytes, index: int) -> bytes:
    """A JPEG with ``segment`` before segment number ``index`` of its header."""
    whole = encoded()
    at = header_segments(whole)[index]
    return whole[:at] + segment + whole[at:]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_way_to_write_an_orientation_is_read(orientation: int, order: str, kind: int) -> None:
    assert orientation_of(_tiff(orientation, order, kind)) == orientation


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_is_upright(orientation: int) -> None:
    assert orientation_of(_tiff(orientation)) == 1


def test_no_cut_of_an_exif_block_harms() -> None:
    block = _tiff(6)
    assert {orientation_of(block[:length]) for length in range(len(block))} == {1, 6}


@pytest.mark.parametrize("index", range(len(header_segments(encoded()))))
def test_exif_counts_wherever_it_stands_in_the_header(index: int) -> None:
    """Before JFIF as phones write it, or behind the size."""
    data = _with(_app1(b"Exif\0\0" + _tiff(6)), index)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    picture = decode(EncodedImage(data), color=True, budget=unlimited())
    assert picture.bgr is not None
    assert np.abs(picture.bgr[:, :, ::-1].astype(int) - np.asarray(upright)).mean() < 1.5
    assert picture.degraded == ""


def test_the_first_exif_block_counts_and_other_application_data_does_not() -> None:
    xmp = _app1(b"http://ns.adobe.com/xap/1.0/\0<x/>")
    first, second = (_app1(b"Exif\0\0" + _tiff(o)) for o in (8, 3))
    assert read_header(_with(xmp + first + second, 0)).orientation == 8
    assert read_header(_with(xmp, 0)).orientation == 1


@pytest.mark.parametrize("codec", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_formats_that_hold_exif_are_turned_alike(codec: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(RGB[:, :200]).save(buffer, codec, exif=exif, quality=95)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(buffer.getvalue()))).convert("RGB")
    picture = decode(EncodedImage(buffer.getvalue()), color=True, budget=unlimited())
    assert picture.bgr is not None
    assert picture.bgr.shape == (upright.height, upright.width, 3)
    assert np.abs(picture.bgr[:, :, ::-1].astype(int) - np.asarray(upright)).mean() < 1.5
