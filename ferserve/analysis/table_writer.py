"""Writes tables of faces, row by row."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ferserve.analysis.columns import Heads, table_columns
from ferserve.analysis.part_file import part_file
from ferserve.analysis.rows import Row, table_rows
from ferserve.errors import TableError, explained_imports, quoted
from ferserve.rendering.csv import csv_line
from ferserve.types import FrameResult


class TableWriter(ABC):
    """A table of faces that is being written; :func:`open_table` makes it."""

    def __init__(self, heads: Heads) -> None:
        self.columns: tuple[str, ...] = tuple(column.name for column in table_columns(heads))
        self._known = frozenset(self.columns)

    def write(self, result: FrameResult, source: str | None = None) -> None:
        """Write the rows of one result: one per face, or one that says why there is none.

        Args:
            result: What a client or an engine gave.
            source: Name of the video, picture or camera.

        Raises:
            TableError: A face has a head or a label that is none of the table's.
        """
        self.write_rows(table_rows(result, source))

    def write_rows(self, rows: Iterable[Row]) -> None:
        """Write rows of :func:`ferserve.analysis.rows.table_rows`; raises as :meth:`write`."""
        for row in rows:
            if unknown := row.keys() - self._known:
                raise TableError(
                    f"columns must be those of the table's model, got {quoted(sorted(unknown)[0])}; one table per model"
                )
            self._write(row)

    @abstractmethod
    def _write(self, row: Row) -> None: ...


class _CsvWriter(TableWriter):
    def __init__(self, heads: Heads, part: Path, files: contextlib.ExitStack, _: Mapping[str, str]) -> None:
        super().__init__(heads)
        self._file = files.enter_context(part.open("w", encoding="utf-8", newline=""))
        self._line(self.columns)

    def _write(self, row: Row) -> None:
        self._line(map(row.get, self.columns))

    def _line(self, cells: Iterable[object]) -> None:
        self._file.write(csv_line(cells) + "\r\n")


class _ParquetWriter(TableWriter):
    _GROUP_ROWS = 8192
    """Rows of a row group, which are held until it is full: some 25 MB."""

    def __init__(self, heads: Heads, part: Path, files: contextlib.ExitStack, metadata: Mapping[str, str]) -> None:
        super().__init__(heads)
        with explained_imports():
            from ferserve.analysis import arrow
        self._arrow = arrow
        self._schema = arrow.schema_of(self.columns, metadata)
        self._file = files.enter_context(arrow.parquet_file(part, self._schema))
        files.callback(self._flush)
        self._rows: list[Row] = []

    def _write(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) == self._GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(self._arrow.table_of(self._rows, self._schema))
            self._rows.clear()


_FORMATS: Mapping[str, type[_CsvWriter] | type[_ParquetWriter]] = {".csv": _CsvWriter, ".parquet": _ParquetWriter}


@contextlib.contextmanager
def open_table(
    path: str | os.PathLike[str], heads: Heads, *, metadata: Mapping[str, str] = MappingProxyType({})
) -> Iterator[TableWriter]:
    """Write a table of faces to ``path``, row by row in flat memory. A context manager.

    The file takes its name when the block ends well; until then, and after an error, an older file of that name stays.
    Equal results give equal bytes.

    Args:
        path: A name that ends with ``.csv`` or ``.parquet``; the latter needs the extra ``analysis``.
        heads: Labels by head of the model, as in ``client.model().heads``.
        metadata: What Parquet keeps beside the table; CSV has no place for it.

    Raises:
        TableError: ``path`` has another suffix, or two heads give columns of one name.
        MissingPackageError: pyarrow is not installed.
        OSError: The file cannot be written.
    """
    path = Path(path)
    if path.suffix not in _FORMATS:
        raise TableError(f"path must end with {' or '.join(_FORMATS)}, got {quoted(path.name)}")
    with part_file(path) as part, contextlib.ExitStack() as files:
        yield _FORMATS[path.suffix](heads, part, files, metadata)
