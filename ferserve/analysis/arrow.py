"""The table of faces in Arrow and Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ferserve.analysis.columns import TABLE_VERSION, Kind, kind_of
from ferserve.analysis.rows import Row

VERSION_KEY = b"ferserve.table_version"
_TYPES = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "truth": pa.bool_()}


def type_of(kind: Kind) -> Any:
    """The ``pyarrow.DataType`` of a column."""
    return _TYPES[kind]


def schema_of(names: Iterable[str], metadata: Mapping[str, str] = MappingProxyType({})) -> Any:
    """The ``pyarrow.Schema`` of a table with the columns ``names``, with ``metadata`` beside that of the version."""
    fields = [pa.field(name, _TYPES[kind_of(name)]) for name in names]
    version: dict[str | bytes, str] = {VERSION_KEY: str(TABLE_VERSION)}
    return pa.schema(fields, metadata=version | dict(metadata))


def table_of(rows: Sequence[Row], schema: Any) -> Any:
    """Rows as a ``pyarrow.Table`` of ``schema``; a cell that a row lacks is null."""
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def parquet_file(path: Path, schema: Any) -> Any:
    """A ``pyarrow.parquet.ParquetWriter``, a context manager. What it writes holds no date and no name of a machine."""
    return pq.ParquetWriter(path, schema, compression="zstd")
