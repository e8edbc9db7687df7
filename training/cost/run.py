"""``python -m training cost``: measures, writes and prints."""

from __future__ import annotations

from pathlib import Path

from ferserve.meters.jetson import is_jetson
from training.cost.cell import Cell
from training.cost.grid import CostOptions, fill, require_gpu_work
from training.cost.report import about_machine, insert, require_marks, write_tables
from training.cost.studies import require_study, study_tables
from training.cost.table import print_table, texts


def run_cost(options: CostOptions, study: str | None = None, into: Path | None = None) -> None:
    """Fill the table, write it into ``options.out`` and print it; with ``study`` that work's own tables too.

    ``into`` is a page that shows the tables. Raises :class:`CostError` behind the tables if a GPU that was asked for
    did no work, and :class:`ConfigError` before anything is measured.
    """
    if into is not None:
        require_marks(into)
    if study is not None:
        require_study(study)
    settings = {"device": ",".join(options.devices), "threads": options.threads, "seconds": options.seconds}
    about = about_machine() | settings
    cells = fill(options, tell=_tell)
    write_tables(cells, options.out, about)
    if into is not None:
        insert(options.out, into)
    print_table(cells)
    if study is not None:
        print(study_tables(study, cells, is_jetson()))
    print(f"written: {options.out}/cost.json, cost.csv, cost.md, cost.png")
    require_gpu_work(cells)


def _tell(cell: Cell) -> None:
    print("  ".join(text for text in texts(cell) if text), flush=True)
