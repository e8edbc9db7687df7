"""What ONNX Runtime's static quantiser is given: rows to see ranges on, and a logger that holds its warnings back."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Feed = dict[str, NDArray[Any]]
"""One call's inputs by name."""


class Int8CalibrationReader:
    """ONNX Runtime's reader: one feed after the other, then None."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        """The next feed, None after the last."""
        return next(self._feeds, None)

    @classmethod
    def of_rows(cls, name: str, rows: NDArray[np.float32], batch_size: int = 64) -> Int8CalibrationReader:
        """Feeds of ``batch_size`` of the ``rows`` (N, …), for the input ``name``."""
        return cls({name: rows[begin : begin + batch_size]} for begin in range(0, len(rows), batch_size))


@contextlib.contextmanager
def warnings_held_back() -> Iterator[None]:
    """Hold back the root logger's warnings: the preparation that the quantiser recommends there has been done."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
