"""A machine that is short of memory says so, and does not blame the picture."""

from __future__ import annotations

import subprocess
import sys

import pytest

# 64 megapixels take 64 MB of luma; what the process holds already is left to it.
LIMITED = """
import io, resource, sys
import numpy as np
from PIL import Image
from ferserve.errors import OverloadedError
from ferserve.types import EncodedImage, PixelFormat, RawImage
from ferserve.vision.budget import FrameBudget, FrameLimits
from ferserve.vision.decode import decode

def encoded(codec, **options):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8000, 8000), np.uint8)).save(buffer, codec, **options)
    return EncodedImage(buffer.getvalue())

image = {
    "jpeg": lambda: encoded("JPEG"),
    "progressive": lambda: encoded("JPEG", progressive=True),
    "png": lambda: encoded("PNG"),
    "raw": lambda: RawImage(PixelFormat.GRAY8, 8000, 8000, np.zeros((8000, 8000), np.uint8)),
}[sys.argv[1]]()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]), -1))
try:
    decode(image, color=True, budget=FrameBudget(FrameLimits(10**9, 10**9, 10**9), 1))
except OverloadedError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "png", "raw"])
@pytest.mark.parametrize("free_mb", [20, 300])
def test_a_frame_without_room_is_refused_for_now(kind: str, free_mb: int) -> None:
    command = [sys.executable, "-c", LIMITED, kind, str(free_mb * 1_000_000)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    if free_mb < 100:
        assert done.stdout.startswith("memory must suffice for the pixels of a frame, got an allocation that failed")
