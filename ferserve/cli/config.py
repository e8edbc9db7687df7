"""``ferserve config``."""

from __future__ import annotations

import json as json_lib
import sys
from pathlib import Path
from typing import Annotated

import typer

from ferserve.cli import exit_codes, flags
from ferserve.cli.help import Command, Group
from ferserve.errors import ConfigError

app = typer.Typer(help="Show, check and begin a configuration.", no_args_is_help=True, cls=Group)


@app.command("show", cls=Command)
def show_command(
    config: flags.ConfigFile = None,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out settings at their defaults.")] = False,
    json: flags.Json = False,
) -> None:
    """Show the value of every setting, and where it came from: a line of the file, the environment, or the default."""
    from ferserve.config_sources import DEFAULT, effective, read_config

    reading = read_config(config)
    _require_none(reading.problems)
    for name, value, source in effective(reading):
        if changed and source == DEFAULT:
            continue
        if json:
            print(json_lib.dumps({"setting": name, "value": value, "source": source}))
        else:
            print(f"{name} = {json_lib.dumps(value)}  # {source}")


@app.command("check", cls=Command)
def check_command(file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML file to check.")]) -> None:
    """Check a file: each mistake with its line, its key, what was expected, and the nearest valid key."""
    from ferserve.config_sources import read_config

    reading = read_config(file, env={})
    _require_none(reading.problems)
    count = sum(len(given) for given in reading.given.values())
    print(f"{file}: {count} setting{'s' * (count != 1)}, no mistakes")


@app.command("init", cls=Command)
def init_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; it must be new.")] = Path(
        "ferserve.toml"
    ),
) -> None:
    """Write a file with every setting, its meaning and its default, all commented out."""
    from ferserve.setting_docs import commented_file

    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(commented_file())
    except OSError as error:
        raise ConfigError(f"FILE must be a new file in a folder that can be written to, got {file}: {error}") from None
    print(f"{file}: every setting at its default; serve with `ferserve serve --config {file}`")


def _require_none(problems: list[str]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        raise typer.Exit(exit_codes.USAGE)
