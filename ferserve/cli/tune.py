"""``ferserve tune``."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferserve.cli import flags
from ferserve.config_sources import load_config
from ferserve.errors import ConfigError

if TYPE_CHECKING:
    from ferserve.runtime.batching import Measurement

_KEY = "max_batch_size"


def command(
    model: flags.Model = None,
    model_dir: flags.ModelDir = None,
    device: flags.Device = None,
    seconds: Annotated[float, typer.Option(min=0.05, metavar="S", help="Time per batch size.")] = 1.0,
    config: flags.ConfigFile = None,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write the choice to the file of --config, new or not."),
    ] = False,
) -> None:
    """Measure whether batches of faces pay on this machine, and show what to configure."""
    if write and config is None:
        raise typer.BadParameter("must come with --config FILE, got no file", param_hint="--write")
    from ferserve.engine import Engine

    read = None if write and config and not os.path.exists(config) else config
    loaded = flags.load(
        read, engine_model=model, engine_model_dir=model_dir, engine_device=device, engine_detector="none"
    )
    with Engine(loaded.engine) as engine:
        table, chosen = engine.tune(seconds)
        _show(engine.runs_on, table, chosen)
    setting = f"engine.{_KEY} = {chosen.batch_size}"
    if write and config:
        write_setting(config, _KEY, chosen.batch_size)
        print(f"wrote {setting} to {config}")
    else:
        print(f"{setting} keeps this choice; --config FILE --write writes it to a file")


def _show(runs_on: str, table: list[Measurement], chosen: Measurement) -> None:
    from rich.table import Table

    from ferserve.cli.table import plain_console

    console = plain_console()
    console.print(runs_on, soft_wrap=True)
    grid = Table("batch", "faces/s", "ms a run", "chosen")
    for row in table:
        mark = "yes" if row is chosen else ""
        grid.add_row(str(row.batch_size), f"{row.rows_per_second:,.0f}", f"{row.run_ms:.2f}", mark)
    console.print(grid)


def write_setting(path: Path, key: str, value: int) -> None:
    """Put ``engine.key = value`` into the TOML file at ``path``, which may be a new one.

    Raises :class:`ConfigError`, and leaves the file alone, if the setting does not fit into it.
    """
    try:
        before = path.read_text("utf-8") if path.exists() else ""
        after = with_setting(before, key, value)
        if before and not _says(after, key, value):
            raise ConfigError(
                f"{path} must hold its engine settings in a table [engine], got another form; nothing was changed, "
                f"write engine.{key} = {value} by hand"
            )
        path.write_text(after, "utf-8")
    except OSError as error:
        raise ConfigError(
            f"config file must be writable, got {path}: {error.strerror}; name another one with --config"
        ) from None


def _says(text: str, key: str, value: int) -> bool:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            return bool(getattr(load_config(Path(file.name), env={}).engine, key) == value)
        except ConfigError:
            return False


def with_setting(text: str, key: str, value: int) -> str:
    """A TOML file's text with ``key = value`` in its table ``[engine]``; everything else stays as it was."""
    line = f"{key} = {value}"
    table = re.search(r"^[ \t]*\[[ \t]*engine[ \t]*\][^\n]*\n?", text, re.MULTILINE)
    if table is None:
        return f"{text.rstrip()}\n\n[engine]\n{line}\n".lstrip()
    head, body = text[: table.end()].rstrip("\n") + "\n", text[table.end() :]
    end = re.search(r"^[ \t]*\[", body, re.MULTILINE)
    inside, rest = (body[: end.start()], body[end.start() :]) if end else (body, "")
    changed, count = re.subn(rf"^[ \t]*{key}[ \t]*=.*$", line, inside, flags=re.MULTILINE)
    return head + (changed if count else f"{line}\n{inside}") + rest
