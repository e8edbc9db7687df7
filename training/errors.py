"""Errors of training: bad data, bad checkpoints, missing weights. Messages name file and line."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

from ferserve.errors import FerserveError


class TrainingError(FerserveError):
    """Base of training errors; the command line prints it on one line and exits with 2."""

    kind = "training"


class DataError(TrainingError, ValueError):
    """A malformed data set; the message begins with file and line."""

    kind = "training_data"


class CheckpointError(TrainingError):
    """A checkpoint that cannot be written or belongs to another run; the last good one is still whole."""

    kind = "checkpoint"


class WeightsError(TrainingError):
    """Pretrained weights that cannot be reached or do not fit the model."""

    kind = "weights"


class ExportError(TrainingError):
    """An exported model whose answers differ from its source's."""

    kind = "export"


DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk."""


def is_foreseen(error: Exception) -> bool:
    """Whether the command line prints ``error`` on one line: its cause is outside this code."""
    return isinstance(error, FerserveError) or (isinstance(error, OSError) and error.errno in DISK)


def in_one_line(command: Callable[[], None]) -> int:
    """Run a command; a foreseen error becomes one line on stderr and exit code 2."""
    try:
        command()
    except FerserveError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
