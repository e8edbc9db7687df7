"""The tables of speed and load as two works print them, filled with what was measured here.

``jaffe``: the cost study's Table 1 (a PC) and Table 2 (a Jetson TX2). ``light-fer``: Light-FER's Table 3 (a PC) and
Table 4 (the device). Its Tables 1 and 2, mean probabilities and accuracies, are a run's: ``python -m training report``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ferserve.errors import ConfigError
from training.common.markdown import grid
from training.cost.cell import Cell, Measurement

Column: TypeAlias = Callable[[Measurement], str]


@dataclass(frozen=True)
class StudyTable:
    """Title and columns behind the model's."""

    title: str
    columns: Mapping[str, Column]


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else format(value, form) + unit


def _of_total(used: float | None, total: float | None) -> str:
    """Memory as the works print it: used / total, in GB."""
    return "-" if used is None else f"{used / 1024:.2f} / {_number(total and total / 1024, '.2f')} GB"


def _fps(m: Measurement) -> str:
    return f"{m.fps if m.test_fps is None else m.test_fps:.2f}"


def _accuracy(m: Measurement) -> str:
    return _number(None if m.accuracy is None else 100 * m.accuracy, ".2f", " %")


def _memory_percent(m: Measurement) -> str:
    return "-" if not m.system_total_mib else f"{100 * m.resident_mib / m.system_total_mib:.1f}"


JAFFE_PC = StudyTable(
    "Cost study, Table 1 (PC)",
    {
        "accuracy": _accuracy,
        "FPS": _fps,
        "GPU load before": lambda m: _number(m.gpu_load_before_percent, ".0f", " %"),
        "GPU load after": lambda m: _number(m.gpu_load_after_percent, ".0f", " %"),
        "GPU memory used / total": lambda m: _of_total(m.gpu_memory_mib, m.gpu_memory_total_mib),
        "RAM used / total": lambda m: _of_total(m.system_used_mib, m.system_total_mib),
    },
)
JAFFE_JETSON = StudyTable(
    "Cost study, Table 2 (Jetson)",
    {
        "accuracy": _accuracy,
        "FPS": _fps,
        "GR3D before": lambda m: _number(m.gpu_load_before_percent, ".0f", " %"),
        "GR3D after": lambda m: _number(m.gpu_load_after_percent, ".0f", " %"),
        "RAM used / total": lambda m: _of_total(m.gpu_memory_mib, m.gpu_memory_total_mib),
    },
)
LIGHT_FER_PC = StudyTable(
    "Light-FER, Table 3 (PC)",
    {"CPU %": lambda m: f"{m.cpu_percent:.0f}", "MEM %": _memory_percent, "FPS": _fps},
)
LIGHT_FER_DEVICE = StudyTable(
    "Light-FER, Table 4 (device)",
    {
        "FPS": _fps,
        "power W": lambda m: _number(m.power_w, ".1f"),
        "CPU %": lambda m: f"{m.cpu_percent:.0f}",
        "GPU %": lambda m: _number(m.gpu_load_percent, ".0f"),
        "memory GB": lambda m: _number(m.system_used_mib and m.system_used_mib / 1024, ".2f"),
    },
)
STUDIES: Mapping[str, Callable[[bool], tuple[StudyTable, ...]]] = {
    "jaffe": lambda jetson: (JAFFE_JETSON,) if jetson else (JAFFE_PC,),
    "light-fer": lambda jetson: (LIGHT_FER_PC, LIGHT_FER_DEVICE),
}
"""By the name that ``--table`` takes; the argument says whether this machine is a Jetson."""


def require_study(name: str) -> None:
    """Raise :class:`ConfigError` for an unknown table."""
    if name not in STUDIES:
        raise ConfigError(f"table must be one of {', '.join(STUDIES)}, got {name!r}")


def study_tables(name: str, cells: list[Cell], jetson: bool) -> str:
    """The study's tables in Markdown: one row per measured cell; cells without a measurement are left out."""
    measured = [(cell, cell.measurement) for cell in cells if cell.measurement is not None]
    parts = []
    for table in STUDIES[name](jetson):
        rows = [
            [cell.model, " ".join(cell.kind), *(column(m) for column in table.columns.values())] for cell, m in measured
        ]
        parts.append(f"{table.title}:\n\n{grid(('model', 'runs as', *table.columns), rows)}\n")
    return "\n".join(parts)
