"""Mutated pictures: ``make fuzz-decode``, or ``python -m tests.fuzz.decode --seconds 60 --seed 0``.

Each of at most 64 KB is decoded in grey or colour, as a whole or as far as it goes. It must give a picture of the size
that its header says, or raise an error of ours, within the time and the memory that docs/robustness.md guarantees. What
breaks this is written to ``build/fuzz``; files that once did are in ``tests/fuzz/corpus`` and come first.
"""

from __future__ import annotations

import io
import random
import resource
import time
from pathlib import Path

import numpy as np
from PIL import Image

from ferserve.errors import FerserveError
from ferserve.types import EncodedImage
from ferserve.vision.budget import FrameBudget, FrameLimits
from ferserve.vision.decode import decode
from ferserve.vision.read_header import read_header
from tests.fuzz import campaign
from tests.fuzz.mutations import mutated, with_checksums
from tests.unit.vision.jpegs import RGB, encoded, sampled

CORPUS = Path(__file__).parent / "corpus"
MAX_MS, MAX_BYTES = 250, 64_000_000
MAX_MESSAGE, LONG = 1000, "a long message"
LIMITS = FrameLimits(max_pixels=50_000_000)


def seeds() -> list[bytes]:
    """Small files of every codec and kind, those of the corpus first."""
    files = [path.read_bytes() for path in sorted(CORPUS.glob("*.bin"))]
    small = RGB[:64, :96]
    kinds = ({}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}, {"optimize": True})
    files += [encoded(small, **options) for options in kinds]
    files += [encoded(small[:, :, 0].copy()), sampled([(4, 2), (1, 1), (1, 1)], small), sampled([(1, 1)] * 3, small)]
    image = Image.fromarray(small)
    for mode, codec, options in (
        *(("RGB", "PNG", {}), ("P", "PNG", {}), ("LA", "PNG", {}), ("1", "PNG", {}), ("RGB", "BMP", {})),
        *(("P", "BMP", {}), ("P", "GIF", {}), ("RGB", "WEBP", {}), ("RGB", "WEBP", {"lossless": True})),
        *(("RGBA", "WEBP", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}), ("RGB", "TIFF", {}), ("L", "TIFF", {})),
        *(("RGB", "TIFF", {"compression": kind}) for kind in ("tiff_lzw", "tiff_adobe_deflate")),
    ):
        buffer = io.BytesIO()
        image.convert(mode).save(buffer, codec, **options)
        files.append(buffer.getvalue())
    return files


def peak_bytes() -> int:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def one_file(data: bytes, *, color: bool, use_truncated: bool) -> str:
    """What came of it; raises AssertionError, and whatever the decoder should not have raised."""
    began, before = time.thread_time(), peak_bytes()
    try:
        header = read_header(data)
        budget = FrameBudget(LIMITS, len(data))
        picture = decode(EncodedImage(data), color=color, budget=budget, use_truncated=use_truncated)
        assert {picture.width, picture.height} == {header.width, header.height}, "another size than the header's"
        outcome = picture.degraded.split(":")[0] or "a picture"
    except FerserveError as error:
        outcome = type(error).__name__ if len(str(error)) < MAX_MESSAGE else LONG
    assert outcome != LONG
    spent_ms, grown = (time.thread_time() - began) * 1000, peak_bytes() - before
    assert spent_ms <= MAX_MS, f"{spent_ms:.0f} ms"
    assert grown <= MAX_BYTES, f"{grown / 1e6:.0f} MB"
    return outcome


def main() -> None:
    """Fuzz the decoders."""
    files = seeds()
    pending = list(files)
    np.zeros(MAX_BYTES, np.uint8)[::4096] = 1  # what one file may take is no growth

    def draw(rng: random.Random) -> bytes:
        data = pending.pop() if pending else mutated(rng, rng.choice(files), files)
        return with_checksums(data) if data.startswith(b"\x89PNG") and rng.random() < 0.8 else data

    def judge(rng: random.Random, data: bytes) -> str:
        return one_file(data, color=rng.random() < 0.5, use_truncated=rng.random() < 0.3)

    campaign.run("decode", __doc__, draw, judge, bytes)


if __name__ == "__main__":
    main()
