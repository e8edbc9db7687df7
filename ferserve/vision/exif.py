"""The orientation that a camera notes beside the pixels (Exif 2.32, 4.6.4 A), and how to undo it."""

from __future__ import annotations

import struct

import numpy as np

from ferserve.vision.picture import Pixels

UPRIGHT = 1
_ORIENTATION_TAG = 0x0112
_VALUE_FORMATS = {1: "B", 3: "H", 4: "I"}
"""struct formats of the TIFF types BYTE, SHORT and LONG; the standard asks for SHORT."""


def orientation_of(tiff: bytes) -> int:
    """The orientation, 1 to 8, in the first directory of an Exif block; 1 if it is missing or broken."""
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                (value,) = struct.unpack_from(order + _VALUE_FORMATS[kind], tiff, entry + 8)
                return value if 1 <= value <= 8 else UPRIGHT
    except (struct.error, KeyError):
        pass
    return UPRIGHT


def turn_upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo ``orientation``: a transpose for 5 to 8, then the flips that remain."""
    if orientation == UPRIGHT:
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
