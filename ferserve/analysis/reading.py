"""Reads tables of faces from files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ferserve.analysis.arrow import VERSION_KEY, type_of
from ferserve.analysis.columns import FIXED_COLUMNS, TABLE_VERSION
from ferserve.errors import TableError, quoted

_NEEDED = ("frame", "time_s", "outcome")
_FIXED_TYPES = {column.name: type_of(column.kind) for column in FIXED_COLUMNS}
_ESCAPED = r"^'([=+\-@\t\r\n])"  # how rendering/csv.py writes a text that begins as a formula


def read_file(path: Path) -> Any:
    """The ``pyarrow.Table`` of a ``.csv`` or ``.parquet`` file, or of all such files in a folder and those below it.

    Raises:
        TableError: It is no table of faces, or is damaged.
        OSError: It cannot be read.
    """
    tables = []
    for file in _files(path):
        with _explained(file):
            tables.append(checked(_READERS[file.suffix](file), str(file)))
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="default")


def batches(path: Path, wanted: Callable[[str], bool], rows: int) -> Iterator[Any]:
    """The same as record batches of at most ``rows``; of Parquet, only the columns that are ``wanted`` are read."""
    for file in _files(path):
        with _explained(file):
            if file.suffix == ".csv":
                yield from checked(_read_csv(file), str(file)).to_batches(rows)
                continue
            with pq.ParquetFile(file) as parquet:
                names = [name for name in parquet.schema_arrow.names if wanted(name) or name in _NEEDED]
                for batch in parquet.iter_batches(rows, columns=names):
                    yield from checked(pa.Table.from_batches([batch]), str(file)).to_batches()


@contextlib.contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except pa.ArrowException as error:
        raise TableError(f"cannot read {file}: {' '.join(str(error).split())}; write it anew") from error


def checked(table: Any, name: str) -> Any:
    """``table``, a ``pyarrow.Table``, with the types of its fixed columns.

    Raises:
        TableError: A column is missing or of another type, or the table comes from a newer version.
    """
    version = int((table.schema.metadata or {}).get(VERSION_KEY, TABLE_VERSION))
    if version > TABLE_VERSION:
        raise TableError(f"{name} must have version {TABLE_VERSION} or less, got {version}; update ferserve")
    missing = [column for column in _NEEDED if column not in table.column_names]
    if missing:
        raise TableError(f"{name} must be a table of faces, got one without the column {missing[0]}")
    fields = [field.with_type(_FIXED_TYPES.get(field.name) or _inferred(field.type)) for field in table.schema]
    try:
        return table.cast(pa.schema(fields, metadata=table.schema.metadata))
    except pa.ArrowException as error:
        raise TableError(f"{name} must be a table of faces, got cells of other types: {error}") from error


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if path.suffix not in _READERS:
            raise TableError(f"path must end with {' or '.join(_READERS)}, or be a folder, got {quoted(path.name)}")
        return [path]
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix in _READERS and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    # A run may have written both formats of one table.
    files = [file for file in files if file.suffix != ".csv" or file.with_suffix(".parquet") not in files]
    if not files:
        raise TableError(f"{path} must hold tables of faces, got no file that ends with {' or '.join(_READERS)}")
    return files


def _read_csv(file: Path) -> Any:
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        header = lines.readline().strip().split(",")
    text = pa.string()
    types = _FIXED_TYPES | {name: text for name in header if name.endswith("_label")}
    table = pa_csv.read_csv(
        file,
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
    )
    for place, field in enumerate(table.schema):
        if field.type == text:
            plain = pc.replace_substring_regex(table[field.name], _ESCAPED, r"\1")
            table = table.set_column(place, field, plain)
    return table


def _inferred(kind: Any) -> Any:
    """A column without any value is one of numbers, such as those before smoothing if nothing was smoothed."""
    return pa.float64() if pa.types.is_null(kind) else kind


def _read_parquet(file: Path) -> Any:
    with pq.ParquetFile(file) as parquet:  # a folder of it may be named like a partition, which is no column of ours
        return parquet.read()


_READERS = {".csv": _read_csv, ".parquet": _read_parquet}
