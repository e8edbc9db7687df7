"""Reads CSV files of data sets record by record, with file and line for messages."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.errors import DataError


def read_records(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str | None]]]:
    """(``file:line``, record by column) of each row; spaces around column names are ignored.

    Raises :class:`DataError` if one of ``columns`` is missing or the file is no text.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        try:
            reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            for column in columns:
                if column not in reader.fieldnames:
                    got = ", ".join(reader.fieldnames) or "none"
                    raise DataError(f"{path}:1: columns must hold {column!r}, got {got}")
            for record in reader:
                yield f"{path}:{reader.line_num}", record
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path}:{reader.line_num + 1}: file must be CSV text, got {error}") from None
