"""Labelled images of any data set, in the one form that training takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

Image: TypeAlias = NDArray[np.uint8]
"""(H, W) luma or (H, W, 3) RGB."""


class Images(Protocol):
    """Images by row: a uint8 array (N, H, W) or (N, H, W, 3), or files read on access."""

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, row: int, /) -> Image:
        """One decoded image, (H, W) luma or (H, W, 3) RGB."""


@dataclass(frozen=True)
class ImageFiles:
    """Images on disk, decoded on each access, so that sets may be larger than memory."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Image:
        return read_image(self.paths[row])


SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def image_files(folder: Path) -> list[Path]:
    """Image files directly in ``folder``, sorted by name; empty if there is no such folder."""
    return sorted(file for file in folder.glob("*") if file.suffix.lower() in SUFFIXES)


def read_image(path: Path) -> Image:
    """Decode one file to uint8: (H, W) if it is grey, else (H, W, 3) RGB. Palettes and alpha are resolved.

    Raises :class:`DataError` that names a file that is missing, truncated or no image.
    """
    from PIL import Image as PilImage

    try:
        with PilImage.open(path) as image:
            image.load()
            mode = "L" if image.mode in ("L", "1", "I;16", "LA") or _grey_palette(image) else "RGB"
            return np.asarray(image.convert(mode), np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: image must be a whole, readable file, got {error}") from None


def _grey_palette(image: Any) -> bool:
    """True for a palette image whose colours are all grey, as some of JAFFE's TIFF files have."""
    if image.mode != "P":
        return False
    palette = np.asarray(image.convert("RGB").getcolors(256) or [], dtype=object)
    return all(red == green == blue for _, (red, green, blue) in palette)


@dataclass(frozen=True)
class Terms:
    """Licence and source of a data set."""

    name: str
    licence: str
    obtain: str


@dataclass(frozen=True)
class Samples:
    """A data set: N images with one class index per head.

    ``targets`` int64 (N,) by head; ``labels`` orders each head's classes. ``split`` (N,) names each row's part
    (``train``, ``public_test``, …), ``""`` if the set has no official split. ``subject`` (N,) is the person, if the set
    names persons; ``places`` (N,) is each row's origin, for messages.
    """

    terms: Terms
    images: Images
    targets: Mapping[str, NDArray[np.int64]]
    labels: Mapping[str, tuple[str, ...]]
    split: NDArray[np.str_]
    places: NDArray[np.str_]
    subject: NDArray[np.str_] | None = None
    faults: tuple[str, ...] = ()
    """Images that the loader could not read and skipped, each with file and line, for the audit."""

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def of_files(
        cls,
        terms: Terms,
        files: Sequence[Path],
        targets: Mapping[str, Sequence[int]],
        labels: Mapping[str, tuple[str, ...]],
        split: Sequence[str] | None = None,
        places: Sequence[str] | None = None,
        subject: Sequence[str] | None = None,
    ) -> Samples:
        """Samples that stay on disk; ``places`` None takes the files' names, ``split`` None means no official split."""
        return cls(
            terms=terms,
            images=ImageFiles(tuple(files)),
            targets={head: np.asarray(target, np.int64) for head, target in targets.items()},
            labels=labels,
            split=np.asarray(split) if split is not None else np.full(len(files), ""),
            places=np.asarray(places if places is not None else [str(file) for file in files]),
            subject=None if subject is None else np.asarray(subject),
        )

    @property
    def head(self) -> str:
        """The first head: the emotion."""
        return next(iter(self.labels))

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Samples:
        """The rows that a mask or an index array selects, in its order."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        if isinstance(self.images, np.ndarray):
            images: Images = self.images[index]
        elif isinstance(self.images, ImageFiles):
            images = ImageFiles(tuple(self.images.paths[i] for i in index))
        else:
            raise TypeError(f"images must be an array or ImageFiles, got {type(self.images).__name__}")
        return replace(
            self,
            images=images,
            targets={head: target[index] for head, target in self.targets.items()},
            split=self.split[index],
            places=self.places[index],
            subject=None if self.subject is None else self.subject[index],
        )

    def counts(self, head: str | None = None) -> dict[str, int]:
        """Images per class of ``head`` (the first one by default)."""
        head = head or self.head
        count = np.bincount(self.targets[head], minlength=len(self.labels[head]))
        return dict(zip(self.labels[head], map(int, count), strict=True))


def require_classes(samples: Samples, where: str) -> None:
    """Raise :class:`DataError` if a class of any head has no image: a model could never learn it."""
    for head in samples.labels:
        empty = [label for label, count in samples.counts(head).items() if count == 0]
        if empty:
            raise DataError(
                f"{where}: class {', '.join(empty)} of head {head} must have at least one image, got none; "
                "add images, or leave the class out of the data"
            )
