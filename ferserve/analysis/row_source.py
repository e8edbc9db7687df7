"""Rows of whatever holds them: results, files and tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ferserve.analysis.rows import Row, table_rows
from ferserve.analysis.tables import TableLike, to_arrow
from ferserve.errors import TableError, explained_imports, quoted
from ferserve.types import FrameResult

Wanted = Callable[[str], bool]
"""Whether a column of this name is needed."""

_BATCH_ROWS = 8192


def rows_of(table: TableLike, source: str | None, wanted: Wanted) -> Iterator[Row]:
    """The rows of ``table`` in their order, with at least the columns that are ``wanted``, in flat memory.

    Args:
        table: See :func:`ferserve.analysis.to_pandas`.
        source: Name of the video, for results; from a table only its rows are taken.
        wanted: Says which columns are needed.

    Raises:
        TableError: It is no table of faces, or has no rows of ``source``.
    """
    if _holds_results(table):
        results: Iterable[FrameResult] = table  # type: ignore[assignment]
        for result in results:
            if not isinstance(result, FrameResult):
                raise TableError(f"table must be results, got an iterable of {type(result).__name__}")
            yield from table_rows(result, source)
        return
    found, names = source is None, set[str | None]()
    for batch in _batches(table, wanted):
        for row in batch.select([name for name in batch.schema.names if wanted(name)]).to_pylist():
            if source is None or row.get("source") == source:
                found = True
                yield row
            elif len(names) < 8:
                names.add(row.get("source"))
    if not found:
        known = ", ".join(sorted(quoted(name) for name in names)) or "an empty table"
        raise TableError(f"source must be a source of the table, got {quoted(source)}; it has {known}")


def _holds_results(table: Any) -> bool:
    return isinstance(table, Iterable) and not isinstance(table, str | os.PathLike) and not hasattr(table, "columns")


def _batches(table: TableLike, wanted: Wanted) -> Iterator[Any]:
    if isinstance(table, str | os.PathLike):
        with explained_imports():
            from ferserve.analysis import reading
        yield from reading.batches(Path(table), wanted, _BATCH_ROWS)
    else:
        yield from to_arrow(table).to_batches(_BATCH_ROWS)
