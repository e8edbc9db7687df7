"""Writes the results of ``cost``: JSON, CSV, Markdown and a plot, with a description of the machine."""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from ferserve.errors import ConfigError
from ferserve.meters.power_mode import power_mode
from training.common.plots import new_figure
from training.cost.cell import FRAMEWORKS, PRECISIONS, Cell
from training.cost.table import kind_order, markdown, medians

MARKS = "<!-- cost -->", "<!-- end of cost -->"
"""Between these two lines of a Markdown file :func:`insert` puts the tables."""
IMAGE = "![images a second by the median image](cost.png)"


def write_tables(cells: list[Cell], out: Path, about: dict[str, Any]) -> None:
    """``cost.json``, ``cost.csv``, ``cost.md`` and ``cost.png`` in ``out``; ``about`` says machine and settings."""
    rows = [cell.flat() for cell in cells]
    (out / "cost.json").write_text(json.dumps({"about": about, "cells": rows}, indent=1))
    with (out / "cost.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (out / "cost.md").write_text("\n".join((_about_text(about), medians(cells), IMAGE, "", markdown(cells))))
    plot(cells, out / "cost.png")


def require_marks(page: Path) -> None:
    """Raise :class:`ConfigError` unless :func:`insert` can put the tables into ``page``."""
    text = page.read_text() if page.is_file() else ""
    if [text.count(f"{mark}\n") for mark in MARKS] != [1, 1]:
        raise ConfigError(f"{page}: file must hold the lines {' and '.join(MARKS)} once each; write them there")


def insert(out: Path, page: Path) -> None:
    """Replace what stands between the marks of ``page`` by ``out/cost.md``, and ``cost.png`` beside it."""
    require_marks(page)
    before, _, rest = page.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    page.write_text(f"{before}{MARKS[0]}\n{(out / 'cost.md').read_text()}\n{MARKS[1]}{after}")
    shutil.copy(out / "cost.png", page.with_name("cost.png"))


def about_machine() -> dict[str, Any]:
    """The processor, how busy other work keeps it, the system and the versions of what was measured."""
    packages = ("keras", "tensorflow", "ai-edge-litert", "onnxruntime", "openvino", "tensorrt")
    versions = {package: _version(package) for package in packages}
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "busy_percent": psutil.cpu_percent(interval=1.0),
        "system": platform.platform(terse=True),
        "power_mode": power_mode(),
        "versions": versions,
    }


def _about_text(about: dict[str, Any]) -> str:
    versions = ", ".join(f"{package} {number}" for package, number in about["versions"].items())
    mode = f", {about['power_mode']}" if about.get("power_mode") else ""
    return (
        f"{about['processor']}, {about['cores']} cores{mode}, "
        f"{about['busy_percent']:.0f} % busy before the first cell; "
        f"{about['threads']} thread{'s' if about['threads'] > 1 else ''} and {about['seconds']:g} s for each cell; "
        f"{versions}.\n"
    )


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


def plot(cells: list[Cell], path: Path) -> None:
    """Speed of each model by its median image, one bar a framework, precision and device, on a logarithmic scale.

    The median is that of an undisturbed image even if other work keeps the machine busy.
    """
    measured = [cell for cell in cells if cell.measurement is not None]
    models = list(dict.fromkeys(cell.model for cell in measured))
    kinds = sorted({cell.kind for cell in measured}, key=kind_order)
    figure = new_figure(max(6.0, 1.6 * len(models)), 5)
    axes = figure.add_subplot()
    width = 0.85 / max(len(kinds), 1)
    for place, kind in enumerate(kinds):
        points = [
            (models.index(cell.model) + place * width, 1e3 / cell.measurement.p50_ms)
            for cell in measured
            if cell.kind == kind and cell.measurement is not None
        ]
        color, shade = f"C{FRAMEWORKS.index(kind[0])}", 1 - 0.3 * PRECISIONS.index(kind[1])
        axes.bar(*np.transpose(points), width=width, align="edge", label=" ".join(kind), color=color, alpha=shade,
                 hatch="//" if kind[2] == "gpu" else None)  # fmt: skip
    axes.set_xticks(np.arange(len(models)) + 0.42, models, rotation=20, ha="right")
    axes.set(ylabel="images a second (1 / p50), batch 1", title="cost on this machine")
    axes.set_yscale("log")
    axes.grid(axis="y", alpha=0.3)
    if measured:
        figure.legend(loc="outside lower center", fontsize="small", ncols=4)  # never over the bars
    figure.savefig(path, dpi=110)
