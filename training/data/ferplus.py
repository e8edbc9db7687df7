"""FER+ votes: ``fer2013new.csv`` with what ten people saw in each row of FER2013.

Source: Barsoum et al. 2016, doi:10.1145/2993148.2993165.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

VOTE_COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip


def read_votes(path: Path, usages: tuple[str, ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Votes uint8 (N, 10) and usage uint8 (N,), an index into ``usages``, row by row.

    Raises :class:`DataError` that names file and line.
    """
    votes, usage = [], []
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        for column in ("Usage", *VOTE_COLUMNS):
            if column not in (reader.fieldnames or ()):
                got = ", ".join(reader.fieldnames or ())
                raise DataError(f"{path}:1: columns must hold {column!r}, got {got}")
        for record in reader:
            place = f"{path}:{reader.line_num}"
            if record["Usage"] not in usages:
                raise DataError(f"{place}: Usage must be one of {', '.join(usages)}, got {record['Usage']!r}")
            usage.append(usages.index(record["Usage"]))
            try:
                votes.append(np.array([int(record[column]) for column in VOTE_COLUMNS], np.uint8))
            except (TypeError, ValueError, OverflowError) as error:
                raise DataError(f"{place}: votes must be ten small whole numbers, got {error}") from None
    return np.reshape(votes, (-1, len(VOTE_COLUMNS))).astype(np.uint8), np.asarray(usage, np.uint8)
