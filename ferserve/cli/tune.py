"""``ferserve tune``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from ferserve.cli import flags

if TYPE_CHECKING:
    from ferserve.batching import Measurement


def command(
    model: flags.Model = None,
    model_dir: flags.ModelDir = None,
    seconds: Annotated[float, typer.Option(min=0.05, help="How long to measure each batch size.")] = 1.0,
    config: flags.ConfigFile = None,
    write: Annotated[bool, typer.Option("--write", help="Write the choice to the file of --config.")] = False,
) -> None:
    """Measure on this machine whether gathering faces into batches pays, and say what to configure."""
    if write and config is None:
        raise typer.BadParameter("--write must come with --config FILE, got no file", param_hint="--write")
    from ferserve.engine import Engine

    new = config if config and config.exists() else None
    loaded = flags.load(new, engine_model=model, engine_model_dir=model_dir, engine_detector="none")
    with Engine(loaded.engine) as engine:
        table, chosen = engine.tune(seconds)
        _show(engine.runs_on, table, chosen)
    if write and config:
        config.write_text(with_setting(config.read_text() if new else "", "max_batch_size", chosen.batch_size))
        print(f"wrote engine.max_batch_size = {chosen.batch_size} to {config}")


def _show(runs_on: str, table: list[Measurement], chosen: Measurement) -> None:
    from rich.console import Console
    from rich.table import Table

    grid = Table("batch", "faces/s", "ms a run", "chosen", title=runs_on, title_justify="left")
    for row in table:
        mark = "yes" if row is chosen else ""
        grid.add_row(str(row.batch_size), f"{row.rows_per_second:,.0f}", f"{row.run_ms:.2f}", mark)
    Console().print(grid)


def with_setting(text: str, key: str, value: int) -> str:
    """A TOML file's text with ``key = value`` in its table ``[engine]``; everything else stays as it was."""
    line = f"{key} = {value}"
    table = re.search(r"^\[engine\][^\n]*\n?", text, re.MULTILINE)
    if table is None:
        return f"{text.rstrip()}\n\n[engine]\n{line}\n".lstrip()
    head, body = text[: table.end()].rstrip("\n") + "\n", text[table.end() :]
    end = re.search(r"^\[", body, re.MULTILINE)
    inside, rest = (body[: end.start()], body[end.start() :]) if end else (body, "")
    changed, count = re.subn(rf"^{key}\s*=.*$", line, inside, flags=re.MULTILINE)
    return head + (changed if count else f"{line}\n{inside}") + rest
