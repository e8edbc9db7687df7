"""Results as tables, summaries and plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ferserve.analysis.table_writer import TableWriter, open_table
    from ferserve.analysis.tables import TableLike, read_table, to_arrow, to_pandas

_HOME_OF = {
    "TableLike": "tables",
    "TableWriter": "table_writer",
    "open_table": "table_writer",
    "read_table": "tables",
    "to_arrow": "tables",
    "to_pandas": "tables",
}

__all__ = ["TableLike", "TableWriter", "open_table", "read_table", "to_arrow", "to_pandas"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
