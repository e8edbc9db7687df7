"""Input of ONNX Runtime's static quantiser: rows on which it measures ranges, with its warnings suppressed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Feed = dict[str, NDArray[Any]]
"""Inputs of one call, by name."""


class Int8CalibrationReader:
    """ONNX Runtime's ``CalibrationDataReader``: one feed after the other, then None."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        """The next feed, or None after the last."""
        return next(self._feeds, None)

    @classmethod
    def of_rows(cls, name: str, rows: NDArray[np.float32], batch_size: int = 64) -> Int8CalibrationReader:
        """Feeds of ``batch_size`` of the ``rows`` (N, …), for the input ``name``."""
        return cls({name: rows[begin : begin + batch_size]} for begin in range(0, len(rows), batch_size))


@contextlib.contextmanager
def warnings_held_back() -> Iterator[None]:
    """Suppress the root logger's warnings: they recommend a preparation that has been done."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
