"""FER2013 with FER+ votes, from any of the forms that people have it in.

Forms: the official CSV (``emotion,pixels,Usage``), folders (``train/angry/….jpg``), and an npz with arrays
``images``, ``labels``, ``usage`` and optionally ``row``, ``ferplus_votes``, ``near_private_test`` and
``near_public_test``. FER+ (``fer2013new.csv``, beside the CSV) is joined **by row**, never by its file names.

Sources: Goodfellow et al. 2013, arXiv:1307.0414; Barsoum et al. 2016, doi:10.1145/2993148.2993165.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferserve.labels import FER2013
from training.data.samples import Samples, Terms, image_files, read_image
from training.errors import DataError

SIDE = 48
USAGES = ("Training", "PublicTest", "PrivateTest")
SPLITS = ("train", "public_test", "private_test")
"""Names of the parts in the order of ``usage``."""
VOTE_COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip
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
    uint8 (N, 10) of FER+ in the order of :data:`VOTE_COLUMNS`, or None; the ``near_…`` masks, bool (N,), mark
    copies and near copies of test images; ``places`` (N,) names file and line, for messages.
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
        """Without the training rows that are copies of test images, so that the test splits may judge."""
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
        )


def load_fer2013(path: Path) -> Fer2013:
    """Read FER2013 from a CSV, an npz, a folder that holds one of them, or a folder of class folders.

    Raises :class:`DataError` that names file and line.
    """
    if path.is_dir():
        for pattern in ("*.npz", "fer2013.csv", "icml_face_data.csv"):
            found = sorted(path.glob(pattern))
            if found:
                return load_fer2013(found[0])
        if (path / "train").is_dir():
            return _from_folders(path)
    elif path.suffix == ".npz":
        return _from_npz(path)
    elif path.suffix == ".csv" and path.is_file():
        return _from_csv(path)
    raise DataError(
        f"{path}: data must be a FER2013 CSV, npz or folder with train/ and test/, got "
        f"{'none of them' if path.exists() else 'nothing there'}; to get it: {TERMS.obtain}"
    )


def _unflagged(
    source: Path,
    images: NDArray[np.uint8],
    labels: ArrayLike,
    usage: ArrayLike,
    places: Sequence[str],
) -> Fer2013:
    """A set in the order of the official CSV, without votes and with no row marked as a copy."""
    none = np.zeros(len(images), np.bool_)
    return Fer2013(
        source=source,
        row=np.arange(len(images), dtype=np.int32),
        images=images,
        labels=np.asarray(labels, np.uint8),
        usage=np.asarray(usage, np.uint8),
        votes=None,
        near_private_test=none,
        near_public_test=none,
        places=np.asarray(places),
    )


def _from_npz(path: Path) -> Fer2013:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: data must be a whole npz file, got {error}") from None
    for name in ("images", "labels", "usage"):
        if name not in arrays:
            raise DataError(f"{path}: arrays must hold {name!r}, got only {', '.join(sorted(arrays))}")
    images, labels, usage = arrays["images"], arrays["labels"], arrays["usage"]
    if images.dtype != np.uint8 or images.shape != (len(labels), SIDE, SIDE):
        got = f"{images.dtype} {images.shape}"
        raise DataError(f"{path}: images must be uint8 ({len(labels)}, {SIDE}, {SIDE}), got {got}")
    for name, array, top in (("labels", labels, len(FER2013)), ("usage", usage, len(USAGES))):
        bad = np.flatnonzero((array < 0) | (array >= top))
        if len(bad):
            raise DataError(f"{path}: {name}[{bad[0]}] must be from 0 to {top - 1}, got {array[bad[0]]}")
    data = _unflagged(path, images, labels, usage, [f"{path}[{row}]" for row in range(len(labels))])
    return replace(
        data,
        votes=arrays.get("ferplus_votes"),
        row=arrays.get("row", data.row).astype(np.int32),
        near_private_test=arrays.get("near_private_test", data.near_private_test),
        near_public_test=arrays.get("near_public_test", data.near_public_test),
    )


def _from_csv(path: Path) -> Fer2013:
    images, labels, usage, places = [], [], [], []
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        for column in ("emotion", "pixels", "Usage"):
            if column not in reader.fieldnames:
                got = ", ".join(reader.fieldnames) or "none"
                raise DataError(f"{path}:1: columns must hold {column!r}, got {got}")
        for record in reader:
            place = f"{path}:{reader.line_num}"
            places.append(place)
            images.append(_pixels(record["pixels"], place))
            labels.append(_label(record["emotion"], place))
            usage.append(_usage(record["Usage"], place))
    if not images:
        raise DataError(f"{path}:2: file must hold at least one image, got none")
    data = _unflagged(path, np.stack(images), labels, usage, places)
    votes = path.with_name("fer2013new.csv")
    return join_ferplus(data, votes) if votes.exists() else data


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
    """Add the votes of ``fer2013new.csv``, row by row; ``data`` must come from the whole official CSV."""
    votes = np.zeros((len(data), len(VOTE_COLUMNS)), np.uint8)
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        for column in ("Usage", *VOTE_COLUMNS):
            if column not in (reader.fieldnames or ()):
                got = ", ".join(reader.fieldnames or ())
                raise DataError(f"{path}:1: columns must hold {column!r}, got {got}")
        count = 0
        for count, record in enumerate(reader, start=1):
            place = f"{path}:{reader.line_num}"
            if count > len(data):
                break
            if _usage(record["Usage"], place) != data.usage[count - 1]:
                wanted = f"that of image {count} of {data.source}"
                raise DataError(f"{place}: Usage must be {wanted}, got {record['Usage']!r}")
            try:
                votes[count - 1] = [int(record[column]) for column in VOTE_COLUMNS]
            except (TypeError, ValueError, OverflowError) as error:
                raise DataError(f"{place}: votes must be ten small whole numbers, got {error}") from None
    if count != len(data):
        raise DataError(f"{path}: rows must be as many as in {data.source} ({len(data)}), got {count}")
    return replace(data, votes=votes)


def _from_folders(path: Path) -> Fer2013:
    """``train/<label>/*`` and ``test/<label>/*``; files named ``PrivateTest_…`` keep their part."""
    images, labels, usage, places = [], [], [], []
    for part in ("train", "test"):
        for label, name in enumerate(FER2013):
            folder = path / part / name
            files = image_files(folder)
            if part == "train" and not files:
                raise DataError(f"{folder}: class {name} must have at least one image, got none")
            for file in files:
                places.append(str(file))
                images.append(_square(file))
                labels.append(label)
                usage.append(0 if part == "train" else 2 if file.name.startswith("PrivateTest") else 1)
    return _unflagged(path, np.stack(images), labels, usage, places)


def _square(file: Path) -> NDArray[np.uint8]:
    image = read_image(file)
    if image.shape != (SIDE, SIDE):
        raise DataError(f"{file}: image must be 48x48 grey, got shape {image.shape}")
    return image
