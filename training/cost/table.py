"""The cost table's rows, for the terminal and for Markdown."""

from __future__ import annotations

from training.common.markdown import grid
from training.cost.cell import DEVICES, FRAMEWORKS, PRECISIONS, Cell

HEADINGS = (
    "model", "framework", "precision", "device", "FPS", "p50 ms", "p99 ms", "CPU %", "memory MiB", "GPU %",
    "GPU MiB", "W", "file MB", "accuracy",
)  # fmt: skip


def texts(cell: Cell) -> list[str]:
    """The cells of one row, in the order of :data:`HEADINGS`; an empty row gives the reason under FPS."""
    key = [cell.model, cell.framework, cell.precision, cell.device]
    if cell.measurement is None:
        return [*key, cell.reason, *[""] * (len(HEADINGS) - 5)]
    m = cell.measurement
    return [
        *key,
        f"{m.fps:.1f}",
        f"{m.p50_ms:.3f}",
        f"{m.p99_ms:.3f}",
        f"{m.cpu_percent:.0f}",
        f"{m.resident_mib:.0f}",
        _number(m.gpu_load_percent, ".0f"),
        _number(m.gpu_memory_mib, ".0f"),
        _number(m.gpu_power_w if m.power_w is None else m.power_w, ".1f"),
        _number(cell.file_mb, ".2f"),
        "" if m.accuracy is None else f"{100 * m.accuracy:.1f} %",
    ]


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def condensed(cells: list[Cell]) -> tuple[list[str], list[list[str]], list[str]]:
    """(headings, rows, notes) without empty columns; a reason becomes a numbered note."""
    reasons = list(dict.fromkeys(text for cell in cells for text in (cell.reason, cell.note) if text))
    rows = [texts(cell) for cell in cells]
    for row, cell in zip(rows, cells, strict=True):
        if cell.reason:
            row[4] = f"({reasons.index(cell.reason) + 1})"
        if cell.note:
            row[-1] = f"({reasons.index(cell.note) + 1})"
    kept = [column for column in range(len(HEADINGS)) if any(row[column] for row in rows)]
    notes = [f"({number}) {reason}" for number, reason in enumerate(reasons, start=1)]
    return [HEADINGS[column] for column in kept], [[row[column] for column in kept] for row in rows], notes


def markdown(cells: list[Cell]) -> str:
    """The condensed table and its notes."""
    headings, rows, notes = condensed(cells)
    return f"{grid(headings, rows)}\n\n" + "  \n".join(notes) + "\n"


def medians(cells: list[Cell]) -> str:
    """Median milliseconds per image in Markdown: one row per model, one column per framework, precision and device."""
    found = {(cell.model, cell.kind): f"{cell.measurement.p50_ms:.3g}" for cell in cells if cell.measurement}
    kinds = sorted({kind for _, kind in found}, key=kind_order)
    models = dict.fromkeys(cell.model for cell in cells)
    rows = [[model, *(found.get((model, kind), "") for kind in kinds)] for model in models]
    return grid(["p50 ms", *(" ".join(kind) for kind in kinds)], rows) + "\n"


def print_table(cells: list[Cell]) -> None:
    """The condensed table on the terminal."""
    from rich.console import Console
    from rich.table import Table

    headings, rows, notes = condensed(cells)
    table = Table(box=None)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place < 4 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(width=max(Console().width, 130))
    console.print(table, *notes, sep="\n", markup=False)


def kind_order(kind: tuple[str, ...]) -> tuple[int, ...]:
    """Sort key: the table's order of frameworks, precisions and devices."""
    return FRAMEWORKS.index(kind[0]), PRECISIONS.index(kind[1]), DEVICES.index(kind[2])
