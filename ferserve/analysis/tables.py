"""Results and files as tables of pandas and Arrow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ferserve.analysis.columns import table_columns
from ferserve.analysis.rows import table_rows
from ferserve.errors import TableError, explained_imports
from ferserve.types import FrameResult

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TableLike: TypeAlias = "Iterable[FrameResult] | str | os.PathLike[str] | pd.DataFrame | pa.Table"
"""Results, as a client gives them; the path of a ``.csv`` or ``.parquet`` file, or of a folder of them; or a table."""


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table of faces.

    Args:
        path: A ``.csv`` or ``.parquet`` file, or a folder, whose files are read in the order of their names.

    Returns:
        One row per face and frame. Text, numbers and truth values have the same types from both formats; cells are
        NA or NaN if a row has no face.

    Raises:
        TableError: It is no table of faces, or is damaged.
        MissingPackageError: The extra ``analysis`` is not installed.
        OSError: It cannot be read.
    """
    return _frame(to_arrow(path))


def to_pandas(table: TableLike, source: str | None = None) -> pd.DataFrame:
    """Results as a ``pandas.DataFrame``: one row per face and frame, or one row that says why there is no face.

    Args:
        table: Results, such as ``client.stream("clip.mp4")``, which are taken to their end; a path; or a table.
        source: Name of the video, for results.

    Returns:
        The columns that docs/analysis.md lists.

    Raises:
        TableError: It is no table of faces.
        MissingPackageError: The extra ``analysis`` is not installed.
    """
    return _frame(to_arrow(table, source))


def to_arrow(table: TableLike, source: str | None = None) -> pa.Table:
    """Results as a ``pyarrow.Table``; see :func:`to_pandas`."""
    with explained_imports():
        import pyarrow as pa

        from ferserve.analysis import arrow, reading
    if isinstance(table, pa.Table):
        return reading.checked(table, "table")
    if isinstance(table, str | os.PathLike):
        return reading.read_file(Path(table))
    if hasattr(table, "columns"):  # of pandas
        return reading.checked(pa.Table.from_pandas(table, preserve_index=False), "table")
    if not isinstance(table, Iterable) or isinstance(table, Mapping):
        raise TableError(f"table must be results, a path or a table of pandas or Arrow, got {type(table).__name__}")
    rows, heads = [], dict[str, list[str]]()
    for result in table:
        if not isinstance(result, FrameResult):
            raise TableError(f"table must be results, got an iterable of {type(result).__name__}")
        rows += table_rows(result, source)
        _note_heads(result, heads)
    return arrow.table_of(rows, arrow.schema_of(column.name for column in table_columns(heads)))


def _note_heads(result: FrameResult, heads: dict[str, list[str]]) -> None:
    """Add the heads and labels of ``result`` to those seen: a stream may change its model."""
    for face in result.faces:
        for head in face.heads:
            known = heads.setdefault(head.name, [])
            known += [label for label in head.labels if label not in known]


def _frame(table: pa.Table) -> pd.DataFrame:
    with explained_imports():
        import pandas as pd
        import pyarrow as pa
    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return table.to_pandas(types_mapper=nullable.get)
