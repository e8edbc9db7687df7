"""The one file that a GPU run reads: pixels, targets and folds, small enough to be carried with the code."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.atomic_write import atomic_write
from training.data.arrays import read_arrays, whole_numbers
from training.emotion_lite.gpu.folds import assign_folds
from training.emotion_lite.gpu.lossless import pack_images, unpack_images
from training.errors import DataError
from training.models.emotion_stages import HEADS, IMAGE_SIZE

MOST_BYTES = 60_000_000
"""Of the file: what can be carried to a machine together with the code."""
UNNAMED = 255
"""In place of FER+'s majority label, if it is none of the eight emotions."""


@dataclass(frozen=True)
class Packed:
    """N training rows, labelled ones first, and M rows of PublicTest."""

    images: NDArray[np.uint8]
    """(N, 48, 48) luma; no image whose pixels are those of a test image, or that is marked as a copy of one."""
    targets: NDArray[np.float16]
    """(N, 17) distributions; zeros for faces without labels."""
    folds: NDArray[np.uint8]
    """(N,) the fold of each row."""
    test_images: NDArray[np.uint8]
    """(M, 48, 48)."""
    test_targets: NDArray[np.float16]
    """(M, 17), for the second file alone, which learns from PublicTest too."""
    test_labels: NDArray[np.uint8]
    """(M,) FER2013 labels."""
    test_majority: NDArray[np.uint8]
    """(M,) FER+ majority, :data:`UNNAMED` if it is none of the eight emotions."""
    test_usable: NDArray[np.bool_]
    """(M,) rows that the second file may learn from: no copies of PrivateTest, no constant images, no non-faces."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(N,) rows with labels."""
        return np.asarray(self.targets.any(axis=1))

    @property
    def digest(self) -> str:
        """Of all that is learnt from, so that a run is not resumed on other rows."""
        digest = hashlib.sha256()
        for array in (self.images, self.targets, self.folds, self.test_images):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def first(self, rows: int, tests: int) -> Packed:
        """Every n-th row, about ``rows`` and ``tests`` of them: a small set for a dry run."""
        few = slice(None, None, max(1, self.tests // tests))
        return replace(
            self.take(slice(None, None, max(1, len(self.images) // rows))), test_images=self.test_images[few],
            test_targets=self.test_targets[few], test_labels=self.test_labels[few],
            test_majority=self.test_majority[few], test_usable=self.test_usable[few],
        )  # fmt: skip

    def take(self, rows: NDArray[np.bool_] | slice) -> Packed:
        """The given training rows, and all of PublicTest."""
        return replace(self, images=self.images[rows], targets=self.targets[rows], folds=self.folds[rows])

    @property
    def tests(self) -> int:
        """M."""
        return len(self.test_images)


def encode(packed: Packed) -> bytes:
    """The content of the file."""
    arrays = {name: getattr(packed, name) for name in _PLAIN}
    for name in ("images", "test_images"):
        blocks = pack_images(getattr(packed, name))
        arrays[name] = np.frombuffer(b"".join(blocks), np.uint8)
        arrays[f"{name}_sizes"] = np.array([len(block) for block in blocks], np.int64)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def write_packed(content: bytes, path: Path) -> None:
    """Write :func:`encode`'s content; raises :class:`DataError`, and writes no file, beyond :data:`MOST_BYTES`."""
    if len(content) > MOST_BYTES:
        raise DataError(
            f"{path}: packed data must be at most {MOST_BYTES:,} bytes to travel with the code, got {len(content):,}; "
            "leave rows out"
        )
    with atomic_write(path) as partial:
        partial.write_bytes(content)


def read_packed(path: Path) -> Packed:
    """Read what :func:`write_packed` wrote; raises :class:`DataError` for any other file."""
    arrays = read_arrays(path)
    missing = [name for name in (*_PLAIN, "images", "images_sizes", "test_images", "test_images_sizes")
               if name not in arrays]  # fmt: skip
    if missing:
        raise DataError(f"{path}: data must be a file of gpu-run --pack, got one without {', '.join(missing)}")
    images: dict[str, Any] = {}
    for name in ("images", "test_images"):
        ends = np.cumsum(arrays[f"{name}_sizes"])
        blocks = [part.tobytes() for part in np.split(arrays[name], ends[:-1])] if len(ends) else []
        images[name] = unpack_images(blocks, IMAGE_SIZE, IMAGE_SIZE)
    rest: dict[str, Any] = {name: arrays[name] for name in _PLAIN}
    return Packed(**images, **rest)


_PLAIN = ("targets", "folds", "test_targets", "test_labels", "test_majority", "test_usable")


def pack_data(data: Path, folds: int, faces: NDArray[np.uint8] | None = None) -> Packed:
    """Training rows of the npz file ``data`` as the recipe uses them, PublicTest, and ``faces`` (K, 48, 48)."""
    from training.emotion_lite.voted_samples import NOT_A_FACE, PUBLIC_TEST, load_voted_samples, make_targets

    train, test = load_voted_samples(data)
    images, targets, own = train.images, make_targets(train), assign_folds(train.images, folds)
    if faces is not None:
        images, own = np.concatenate([images, faces]), np.concatenate([own, assign_folds(faces, folds)])
        targets = np.concatenate([targets, np.zeros((len(faces), sum(HEADS.values())), np.float32)])
    arrays = read_arrays(data)
    count = len(arrays["images"])
    usable = (test.images.reshape(len(test), -1).std(axis=1) > 0) & (test.votes[:, NOT_A_FACE] < 5)
    if "near_private_test" in arrays:
        near = whole_numbers(arrays, "near_private_test", (count,), 1, data) == 1
        usable &= ~near[whole_numbers(arrays, "usage", (count,), 2, data) == PUBLIC_TEST]
    majority = test.votes.argmax(axis=1)
    return Packed(
        images, targets.astype(np.float16), own, test.images,
        make_targets(test).astype(np.float16), test.labels.astype(np.uint8),
        np.where(majority < HEADS["emotion"], majority, UNNAMED).astype(np.uint8), np.asarray(usable, np.bool_),
    )  # fmt: skip
