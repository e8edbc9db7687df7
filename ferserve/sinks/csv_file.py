"""Results as rows of a CSV file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ferserve.rendering.csv import CsvRenderer
from ferserve.sinks.output_file import not_writable, open_output, write_all
from ferserve.sinks.sink import Sink, SinkError
from ferserve.types import FrameResult


class CsvSink(Sink):
    """Writes the rows of each result at once, so that a process that is killed has lost none of them."""

    def __init__(self, path: Path, heads: Mapping[str, Sequence[str]], *, overwrite: bool) -> None:
        """``heads`` are the labels by head of the model; raises :class:`ConfigError` if the file cannot be made."""
        self._renderer = CsvRenderer(heads)
        self._file = open_output(path, "--csv", overwrite=overwrite)
        try:
            self._write([self._renderer.header()])
        except OSError as error:
            self._file.close()
            raise not_writable("--csv", path, error) from None

    def result(self, source: str, result: FrameResult) -> None:
        """See :class:`Sink`."""
        try:
            rows = self._renderer.lines(result, source)
        except ValueError as error:
            raise SinkError(str(error)) from None
        self._write(rows)

    def close(self) -> None:
        """See :class:`Sink`."""
        self._file.close()

    def _write(self, rows: Sequence[str]) -> None:
        write_all(self._file, "".join(f"{row}\r\n" for row in rows).encode())
