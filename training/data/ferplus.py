"""FER+ votes: ``fer2013new.csv``, ten people's labels for each row of FER2013.

Source: Barsoum et al. 2016, doi:10.1145/2993148.2993165.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.table import read_records
from training.errors import DataError

VOTE_COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip


def read_votes(path: Path, usages: tuple[str, ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Votes uint8 (N, 10) and usage uint8 (N,), an index into ``usages``, row by row.

    Raises :class:`DataError` that names file and line.
    """
    votes, usage = [], []
    for place, record in read_records(path, ("Usage", *VOTE_COLUMNS)):
        if record["Usage"] not in usages:
            raise DataError(f"{place}: Usage must be one of {', '.join(usages)}, got {record['Usage']!r}")
        usage.append(usages.index(record["Usage"]))
        try:
            votes.append(np.array([int(record[column] or "") for column in VOTE_COLUMNS], np.uint8))
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"{place}: votes must be ten small whole numbers, got {error}") from None
    return np.reshape(votes, (-1, len(VOTE_COLUMNS))).astype(np.uint8), np.asarray(usage, np.uint8)
