"""FER2013 with FER+ votes, in any of its common forms.

Forms: the official CSV (``emotion,pixels,Usage``), folders (``train/angry/….jpg``), and an npz with arrays
``images``, ``labels``, ``usage`` and optionally ``row``, ``ferplus_votes``, ``near_private_test`` and
``near_public_test``. FER+ (``fer2013new.csv``, beside the CSV) is joined **by row**, never by its file names.

Sources: Goodfellow et al. 2013, arXiv:1307.0414; Barsoum et al. 2016, doi:10.1145/2993148.2993165.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferserve.labels import FER2013
from training.data.arrays import VOTES, luma_images, read_arrays, whole_numbers
from training.data.ferplus import read_votes
from training.data.samples import Samples, Terms, image_files, read_image
from training.data.table import read_records
from training.errors import DataError

SIDE = 48
USAGES = ("Training", "PublicTest", "PrivateTest")
SPLITS = ("train", "public_test", "private_test")
"""Names of the parts in the order of ``usage``."""
TERMS = Terms(
    name="FER2013",
    licence="research and education, by the challenge's terms; found on the web, rights with their owners. "
    "FER+ labels: MIT",
    obtain="kaggle.com: 'Challenges in Representation Learning: Facial Expression Recognition Challenge' "
    "(icml_face_data.csv or fer2013.csv); FER+: github.com/microsoft/FERPlus (fer2013new.csv)",
)


@dataclass(frozen=True)
class Fer2013:
    """N faces, 48x48.

    ``row`` int32 (N,) in the official CSV; ``images`` uint8 (N, 48, 48) luma; ``labels`` uint8 (N,) in the
    order of :data:`ferserve.labels.FER2013`; ``usage`` uint8 (N,): 0 train, 1 PublicTest, 2 PrivateTest; ``votes``
    uint8 (N, 10) of FER+ in the order of :data:`training.data.ferplus.VOTE_COLUMNS`, or None; the ``near_…``
    masks, bool (N,), mark copies and near copies of test images; ``places`` (N,) names file and line, for messages.
    """

    source: Path
    row: NDArray[np.int32]
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    usage: NDArray[np.uint8]
    votes: NDArray[np.uint8] | None
    near_private_test: NDArray[np.bool_]
    near_public_test: NDArray[np.bool_]
    places: NDArray[np.str_]
    faults: tuple[str, ...] = ()
    """Rows that were left out because their image is not whole."""

    def __len__(self) -> int:
        return len(self.row)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Fer2013:
        """The rows that a mask or an index array picks."""
        return replace(
            self,
            row=self.row[rows],
            images=self.images[rows],
            labels=self.labels[rows],
            usage=self.usage[rows],
            votes=None if self.votes is None else self.votes[rows],
            near_private_test=self.near_private_test[rows],
            near_public_test=self.near_public_test[rows],
            places=self.places[rows],
        )

    def honest(self) -> Fer2013:
        """Without the training rows that are copies of test images, so that test figures are honest."""
        copies = self.near_private_test | self.near_public_test
        return self.select(~(copies & (self.usage == 0)))

    def samples(self) -> Samples:
        """The seven-label task in the runner's form."""
        return Samples(
            terms=TERMS,
            images=self.images,
            targets={"emotion": self.labels.astype(np.int64)},
            labels={"emotion": FER2013},
            split=np.asarray(SPLITS)[self.usage],
            places=self.places,
            faults=self.faults,
        )

    def balanced(self, per_class: int = 3000, seed: int = 1) -> Samples:
        """The study's six classes: disgust left out, at most ``per_class`` training images of each."""
        kept = self.select(self.labels != FER2013.index("disgust")).samples()
        names = tuple(name for name in FER2013 if name != "disgust")
        index = np.asarray([names.index(name) if name in names else -1 for name in FER2013])
        target = index[kept.targets["emotion"]]
        rng = np.random.default_rng([seed, 4])
        keep = kept.split != "train"
        for label in range(len(names)):
            rows = rng.permutation(np.flatnonzero((target == label) & (kept.split == "train")))
            keep[rows[:per_class]] = True
        return replace(kept, targets={"emotion": target}, labels={"emotion": names}).select(keep)


def load_fer2013(path: Path, skip_corrupt: bool = False) -> Fer2013:
    """Read FER2013 from a CSV, an npz, a folder that holds one of them, or a folder of class folders.

    Raises :class:`DataError` that names file and line; with ``skip_corrupt`` an image that is not whole is left
    out and named in ``faults`` instead.
    """
    if path.is_dir():
        for pattern in ("*.npz", "fer2013.csv", "icml_face_data.csv"):
            found = sorted(path.glob(pattern))
            if found:
                return load_fer2013(found[0], skip_corrupt)
        if (path / "train").is_dir():
            return _from_folders(path, skip_corrupt)
    elif path.suffix == ".npz":
        return _from_npz(path)
    elif path.suffix == ".csv" and path.is_file():
        return _from_csv(path, skip_corrupt)
    raise DataError(
        f"{path}: data must be a FER2013 CSV, npz or folder with train/ and test/, got "
        f"{'none of them' if path.exists() else 'nothing there'}; to get it: {TERMS.obtain}"
    )


@dataclass
class _Rows:
    """Rows as they are read, one after the other; faults are raised or, if asked, collected."""

    source: Path
    skip_corrupt: bool
    count: int = 0
    row: list[int] = field(default_factory=list)
    images: list[NDArray[np.uint8]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    usage: list[int] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, image: Callable[[], NDArray[np.uint8]], label: int, usage: int, place: str) -> None:
        """Take one row; ``image`` reads it and may raise :class:`DataError`."""
        row, self.count = self.count, self.count + 1
        try:
            self.images.append(image())
        except DataError as error:
            if not self.skip_corrupt:
                raise
            self.faults.append(str(error))
            return
        self.row.append(row)
        self.labels.append(label)
        self.usage.append(usage)
        self.places.append(place)

    def made(self) -> Fer2013:
        """The set, without votes and with no row marked as a copy."""
        if not self.images:
            first = f"; the first of {len(self.faults)}: {self.faults[0]}" if self.faults else ""
            raise DataError(f"{self.source}: data must hold at least one whole image, got none{first}")
        none = np.zeros(len(self.images), np.bool_)
        return Fer2013(
            source=self.source,
            row=np.asarray(self.row, np.int32),
            images=np.stack(self.images),
            labels=np.asarray(self.labels, np.uint8),
            usage=np.asarray(self.usage, np.uint8),
            votes=None,
            near_private_test=none,
            near_public_test=none,
            places=np.asarray(self.places),
            faults=tuple(self.faults),
        )


def _from_npz(path: Path) -> Fer2013:
    arrays = read_arrays(path)
    images = luma_images(arrays, path, (SIDE, SIDE))
    count = len(images)

    def column(name: str, top: int, *shape: int) -> NDArray[np.int64]:
        return whole_numbers(arrays, name, (count, *shape), top, path)

    def mask(name: str) -> NDArray[np.bool_]:
        return column(name, 1) == 1 if name in arrays else np.zeros(count, np.bool_)

    return Fer2013(
        source=path,
        row=(column("row", np.iinfo(np.int32).max) if "row" in arrays else np.arange(count)).astype(np.int32),
        images=images,
        labels=column("labels", len(FER2013) - 1).astype(np.uint8),
        usage=column("usage", len(USAGES) - 1).astype(np.uint8),
        votes=column("ferplus_votes", 255, VOTES).astype(np.uint8) if "ferplus_votes" in arrays else None,
        near_private_test=mask("near_private_test"),
        near_public_test=mask("near_public_test"),
        places=np.asarray([f"{path}[{row}]" for row in range(count)]),
    )


def _from_csv(path: Path, skip_corrupt: bool) -> Fer2013:
    rows = _Rows(path, skip_corrupt)
    for place, record in read_records(path, ("emotion", "pixels", "Usage")):
        image = partial(_pixels, record["pixels"], place)
        rows.add(image, _label(record["emotion"], place), _usage(record["Usage"], place), place)
    votes = path.with_name("fer2013new.csv")
    return join_ferplus(rows.made(), votes) if votes.exists() else rows.made()


def _pixels(text: str | None, place: str) -> NDArray[np.uint8]:
    try:
        pixels = np.array((text or "").split(), np.int64)
    except ValueError as error:
        raise DataError(f"{place}: pixels must be whole numbers, got {error}") from None
    if pixels.size != SIDE * SIDE:
        raise DataError(f"{place}: pixels must be {SIDE * SIDE} numbers, got {pixels.size}; is the row cut?")
    if pixels.min() < 0 or pixels.max() > 255:
        raise DataError(f"{place}: pixels must be from 0 to 255, got {pixels.min()} to {pixels.max()}")
    return pixels.astype(np.uint8).reshape(SIDE, SIDE)


def _label(text: str | None, place: str) -> int:
    if text is None or not text.strip().isdigit() or int(text) >= len(FER2013):
        raise DataError(f"{place}: emotion must be from 0 to {len(FER2013) - 1}, got {text!r}")
    return int(text)


def _usage(text: str | None, place: str) -> int:
    if text is None or text.strip() not in USAGES:
        raise DataError(f"{place}: Usage must be one of {', '.join(USAGES)}, got {text!r}")
    return USAGES.index(text.strip())


def join_ferplus(data: Fer2013, path: Path) -> Fer2013:
    """Add the votes of ``fer2013new.csv``: its line for row i of the official CSV is line i of its own."""
    votes, usage = read_votes(path, USAGES)
    if len(data.row) and data.row[-1] >= len(votes):
        raise DataError(f"{path}: rows must be as many as in {data.source} ({data.row[-1] + 1}), got {len(votes)}")
    differing = np.flatnonzero(usage[data.row] != data.usage)
    if len(differing):
        row = data.row[differing[0]]
        wanted, got = USAGES[data.usage[differing[0]]], USAGES[usage[row]]
        raise DataError(f"{path}:{row + 2}: Usage must be {wanted} as in {data.source}, got {got}")
    return replace(data, votes=votes[data.row])


def _from_folders(path: Path, skip_corrupt: bool) -> Fer2013:
    """``train/<label>/*`` and ``test/<label>/*``; files named ``PrivateTest_…`` keep their part."""
    rows = _Rows(path, skip_corrupt)
    for part in ("train", "test"):
        for label, name in enumerate(FER2013):
            folder = path / part / name
            files = image_files(folder)
            if part == "train" and not files:
                raise DataError(f"{folder}: class {name} must have at least one image, got none")
            for file in files:
                usage = 0 if part == "train" else 2 if file.name.startswith("PrivateTest") else 1
                rows.add(partial(_square, file), label, usage, str(file))
    return rows.made()


def _square(file: Path) -> NDArray[np.uint8]:
    image = read_image(file)
    if image.shape != (SIDE, SIDE):
        raise DataError(f"{file}: image must be 48x48 grey, got shape {image.shape}")
    return image
