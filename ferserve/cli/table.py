"""Tables for terminals."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ferserve.rendering.json import label_text
from ferserve.types import Face, ModelDescription

BAR_CELLS = 12
SHORT_BAR_CELLS = 5
ROOMY = 90
"""Columns of a terminal in which every usual row has room for the longer bar."""


def plain_console() -> Console:
    """Shows names, labels and descriptions as they are, even if rich would take them for markup."""
    return Console(markup=False, emoji=False)


def faces_table(faces: Sequence[Face], tracked: bool, bar_cells: int = 0) -> Table:
    """One row a face; ``tracked`` numbers them by their tracks, which stay the same from frame to frame."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("face", justify="right", no_wrap=True)
    table.add_column("box (px)", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("emotion", style="bold", overflow="fold")
    table.add_column("confidence", no_wrap=True)
    table.add_column("then", overflow="fold")
    for number, face in enumerate(faces, 1):
        x0, y0, x1, y1 = face.box
        table.add_row(
            str(face.track_id if tracked else number),
            f"{x0:.0f},{y0:.0f} {x1:.0f},{y1:.0f}",
            f"{face.score:.2f}",
            label_text(face),
            bar(face.confidence, bar_cells),
            _runner_up(face),
        )
    return table


def bar_cells(console: Console) -> int:
    """Length of a bar in cells: 0 in a file or a pipe, and if bars cannot be drawn."""
    if not console.is_terminal or console.options.ascii_only:
        return 0
    return BAR_CELLS if console.width >= ROOMY else SHORT_BAR_CELLS


def bar(share: float, cells: int) -> Text:
    """``share`` in [0, 1] as its value, after a bar of at most ``cells``."""
    full = round(share * cells)
    value = f" {share:.2f}" if cells else f"{share:.2f}"
    return Text.assemble(("█" * full, "green"), ("░" * (cells - full), "dim"), value)


def _runner_up(face: Face) -> str:
    """The most probable of the other labels; in a stream it may lead for a while before it is told."""
    others = {label: share for label, share in face.probabilities.items() if label != face.emotion}
    if not others:
        return ""
    label = max(others, key=others.__getitem__)
    return f"{label} {others[label]:.2f}"


def model_table(model: ModelDescription) -> Table:
    """Everything that a model says of itself, one row a fact."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    facts = {
        "model": f"{model.name} {model.version}" + (" (default)" if model.is_default else ""),
        "state": "" if model.state.value == "ready" and not model.reason else f"{model.state.value}: {model.reason}",
        "aliases": ", ".join(model.aliases),
        "description": model.description,
        **{f"head {name}": ", ".join(labels) for name, labels in model.heads.items()},
        "input": f"{model.input_width}x{model.input_height} {model.input_color}" if model.heads else "",
        "license": model.license,
        "trained on": ", ".join(model.trained_on),
        **{figure: f"{value:.4g}" for figure, value in model.metrics.items()},
        "runs on": model.runs_on,
        "sha256": model.sha256,
    }
    for name, fact in facts.items():
        if fact:
            table.add_row(name, fact)
    return table
