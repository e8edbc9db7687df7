"""Finds unusable images of a training set: constant, unreadable and repeated ones, and copies across splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from training.data.samples import Image, Samples
from training.errors import DataError

SHOWN = 10
"""Findings per kind that are printed; the rest are counted, and written to the report file."""


@dataclass
class Audit:
    """Findings, each with file and line. ``clean`` is the set without the rows at fault.

    Rows of test splits are reported but kept, so that figures stay comparable.
    """

    clean: Samples
    total: int
    corrupt: list[str] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    duplicate: list[str] = field(default_factory=list)
    across_splits: list[str] = field(default_factory=list)

    def lines(self, shown: int | None = SHOWN) -> Iterator[str]:
        """The report, line by line."""
        yield f"audit of {self.clean.terms.name}: {self.total} images, {len(self.clean)} kept"
        for kind in ("corrupt", "constant", "duplicate", "across_splits"):
            findings = getattr(self, kind)
            yield f"  {kind.replace('_', ' ')}: {len(findings)}"
            yield from (f"    {finding}" for finding in findings[:shown])
            if shown and len(findings) > shown:
                yield f"    and {len(findings) - shown} more"


def pixel_digest(image: Image) -> bytes:
    """16 bytes that are equal for two images only if they have the same size and pixels."""
    return hashlib.blake2b(image.tobytes() + bytes(str(image.shape), "ascii"), digest_size=16).digest()


def audit(samples: Samples) -> Audit:
    """Check every image once. Of equal images the first is kept; of copies across splits the test's."""
    report = Audit(clean=samples, total=len(samples) + len(samples.faults), corrupt=list(samples.faults))
    digests: list[bytes] = []
    for row in range(len(samples)):
        try:
            image = samples.images[row]
        except DataError as error:
            report.corrupt.append(str(error))
            digests.append(b"")
            continue
        if image.min() == image.max():
            report.constant.append(f"{samples.places[row]}: every pixel is {image.flat[0]}")
            digests.append(b"constant")
        else:
            digests.append(pixel_digest(image))
    if len(report.corrupt) > report.total // 2:
        raise DataError(f"{report.corrupt[0]}; and {len(report.corrupt) - 1} more of {report.total} are unreadable")
    report.clean = samples.select(_keep(samples, digests, report))
    return report


def _keep(samples: Samples, digests: list[bytes], report: Audit) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mask of the rows that stay."""
    trains = np.isin(samples.split, ("", "train"))
    in_test = {digests[row]: row for row in np.flatnonzero(~trains)}
    seen: dict[bytes, int] = {}
    keep = np.ones(len(samples), np.bool_)
    for row, digest in enumerate(digests):
        place = samples.places[row]
        if digest in (b"", b"constant"):
            keep[row] = digest != b"" and not trains[row]
            continue
        if trains[row] and digest in in_test:
            report.across_splits.append(f"{place}: same pixels as {samples.places[in_test[digest]]}")
            keep[row] = False
            continue
        if digest in seen:
            report.duplicate.append(f"{place}: same pixels as {samples.places[seen[digest]]}")
            keep[row] = not trains[row]
        seen.setdefault(digest, row)
    return keep
