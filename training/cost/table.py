"""The cost table for people and for programs: terminal, Markdown, CSV, JSON and a plot."""

from __future__ import annotations

import csv
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from training.cost.cell import FRAMEWORKS, PRECISIONS, Cell
from training.plots import new_figure

HEADINGS = (
    "model", "framework", "precision", "device", "FPS", "p50 ms", "p99 ms", "CPU %", "memory MiB", "GPU %",
    "GPU MiB", "W", "file MB", "accuracy",
)  # fmt: skip


def write_tables(cells: list[Cell], out: Path, about: dict[str, Any]) -> None:
    """``cost.json``, ``cost.csv``, ``cost.md`` and ``cost.png`` in ``out``; ``about`` says machine and settings."""
    rows = [cell.flat() for cell in cells]
    (out / "cost.json").write_text(json.dumps({"about": about, "cells": rows}, indent=1))
    with (out / "cost.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (out / "cost.md").write_text(markdown(cells))
    plot(cells, out / "cost.png")


def about_machine() -> dict[str, Any]:
    """The processor, the system and the versions of what was measured."""
    packages = ("keras", "tensorflow", "ai-edge-litert", "onnxruntime", "openvino", "tensorrt")
    versions = {package: _version(package) for package in packages}
    return {"processor": processor_name(), "system": platform.platform(terse=True), "versions": versions}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def processor_name() -> str:
    """As Linux names it, else what Python knows."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def texts(cell: Cell) -> list[str]:
    """The cells of one row, in the order of :data:`HEADINGS`; a row that is not filled says why under FPS."""
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
        _number(m.gpu_power_w, ".1f"),
        _number(cell.file_mb, ".2f"),
        "" if m.accuracy is None else f"{100 * m.accuracy:.1f} %",
    ]


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def condensed(cells: list[Cell]) -> tuple[list[str], list[list[str]], list[str]]:
    """(headings, rows, notes) without empty columns; a reason becomes a numbered note."""
    reasons = list(dict.fromkeys(cell.reason for cell in cells if cell.reason))
    rows = [texts(cell) for cell in cells]
    for row, cell in zip(rows, cells, strict=True):
        if cell.reason:
            row[4] = f"({reasons.index(cell.reason) + 1})"
    kept = [column for column in range(len(HEADINGS)) if any(row[column] for row in rows)]
    notes = [f"({number}) {reason}" for number, reason in enumerate(reasons, start=1)]
    return [HEADINGS[column] for column in kept], [[row[column] for column in kept] for row in rows], notes


def markdown(cells: list[Cell]) -> str:
    """The condensed table and its notes."""
    headings, rows, notes = condensed(cells)
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n" + "  \n".join(notes) + "\n"


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


def plot(cells: list[Cell], path: Path) -> None:
    """Speed of each model by its median image, one bar a framework and precision, on a logarithmic scale.

    The median stands for an undisturbed image even where other work keeps the machine busy.
    """
    measured = [cell for cell in cells if cell.measurement is not None]
    models = list(dict.fromkeys(cell.model for cell in measured))
    kinds = sorted({(cell.framework, cell.precision) for cell in measured}, key=_order)
    figure = new_figure(max(6.0, 1.6 * len(models)), 5)
    axes = figure.add_subplot()
    width = 0.85 / max(len(kinds), 1)
    for place, kind in enumerate(kinds):
        points = [
            (models.index(cell.model) + place * width, 1e3 / cell.measurement.p50_ms)
            for cell in measured
            if (cell.framework, cell.precision) == kind and cell.measurement is not None
        ]
        color, shade = f"C{FRAMEWORKS.index(kind[0])}", 1 - 0.3 * PRECISIONS.index(kind[1])
        axes.bar(*np.transpose(points), width=width, align="edge", label=" ".join(kind), color=color, alpha=shade)
    axes.set_xticks(np.arange(len(models)) + 0.42, models, rotation=20, ha="right")
    axes.set(ylabel="images a second (1 / p50), batch 1", title="cost on this machine")
    axes.set_yscale("log")
    axes.grid(axis="y", alpha=0.3)
    if measured:
        axes.legend(fontsize="small", ncols=3)
    figure.savefig(path, dpi=110)


def _order(kind: tuple[str, str]) -> tuple[int, int]:
    """Frameworks and precisions in the order of the table."""
    return FRAMEWORKS.index(kind[0]), PRECISIONS.index(kind[1])
