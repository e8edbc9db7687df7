"""Results as tables, summaries and plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ferserve.analysis.comparison import Agreement, TrackPair, agreement
    from ferserve.analysis.summary import Summary, summarize
    from ferserve.analysis.table_writer import TableWriter, open_table
    from ferserve.analysis.tables import TableLike, read_table, to_arrow, to_pandas
    from ferserve.analysis.timeline import Timeline
    from ferserve.analysis.timeline_plot import plot_timeline

_HOMES = {
    "comparison": ("Agreement", "TrackPair", "agreement"),
    "summary": ("Summary", "summarize"),
    "table_writer": ("TableWriter", "open_table"),
    "tables": ("TableLike", "read_table", "to_arrow", "to_pandas"),
    "timeline": ("Timeline",),
    "timeline_plot": ("plot_timeline",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Agreement",
    "Summary",
    "TableLike",
    "TableWriter",
    "Timeline",
    "TrackPair",
    "agreement",
    "open_table",
    "plot_timeline",
    "read_table",
    "summarize",
    "to_arrow",
    "to_pandas",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
