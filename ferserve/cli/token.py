"""``ferserve token``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ferserve.cli import flags
from ferserve.cli.help import Command, Group
from ferserve.errors import ConfigError, quoted

if TYPE_CHECKING:
    from ferserve.auth.token import Token

app = typer.Typer(help="Add, list and revoke the tokens of a server.", no_args_is_help=True, cls=Group)

TokenFile: TypeAlias = Annotated[
    str | None, typer.Option("--file", metavar="FILE", help="The file of tokens; by default server.token_file.")
]
Name: TypeAlias = Annotated[str, typer.Argument(help="Who holds the token, such as camera-7.")]


@app.command("add", cls=Command)
def add_command(
    name: Name,
    role: Annotated[
        str, typer.Option(metavar="use|admin", help="What its holder may do; admin also what changes the server.")
    ] = "use",
    file: TokenFile = None,
    config: flags.ConfigFile = None,
) -> None:
    """Make a token and print it, once: the file keeps a digest only."""
    from ferserve.auth.identity import ROLES
    from ferserve.auth.token import Token, new_secret
    from ferserve.auth.token_file import require_name

    found = next((known for known in ROLES if known == role), None)
    if found is None:
        raise ConfigError(f"--role must be one of {', '.join(ROLES)}, got {quoted(role)}")
    require_name(name)
    with _changing(_path(file, config), may_be_new=True) as tokens:
        if any(token.name == name for token in tokens.values()):
            raise ConfigError(f"name must be new, got {name}; revoke that token first, or choose another name")
        token_id, digest, text = new_secret()
        created = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        tokens[token_id] = Token(token_id, name, found, digest, created)
    print(text)


@app.command("list", cls=Command)
def list_command(file: TokenFile = None, config: flags.ConfigFile = None) -> None:
    """List who holds a token, without the tokens."""
    from rich.table import Table

    from ferserve.auth.token_file import read_tokens
    from ferserve.cli.table import plain_console

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("name", "role", "id", "created"):
        table.add_column(column, no_wrap=True)
    for token in read_tokens(_path(file, config)).values():
        table.add_row(token.name, token.role, token.id, token.created)
    plain_console().print(table)


@app.command("revoke", cls=Command)
def revoke_command(name: Name, file: TokenFile = None, config: flags.ConfigFile = None) -> None:
    """Let a token count no more; a server that runs ends its calls within a second."""
    with _changing(_path(file, config)) as tokens:
        ids = [token.id for token in tokens.values() if token.name == name]
        if not ids:
            known = ", ".join(token.name for token in tokens.values()) or "no token"
            raise ConfigError(f"name must be one of {known}, got {quoted(name)}")
        del tokens[ids[0]]


def _path(file: str | None, config: Path | None) -> str:
    path = flags.load(config, server_token_file=file).server.token_file
    if not path:
        raise ConfigError("--file must name the file of tokens unless server.token_file does, got none")
    return path


@contextlib.contextmanager
def _changing(path: str, *, may_be_new: bool = False) -> Iterator[dict[str, Token]]:
    """The tokens by id, which are written when the block ends; two commands at once wait for each other."""
    import fcntl

    from ferserve.auth.token_file import read_tokens, write_tokens

    folder = os.path.dirname(os.path.realpath(path))
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"cannot write the token file {path}: {error.strerror}; make its folder first") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tokens = {} if may_be_new and not os.path.exists(path) else read_tokens(path)
        yield tokens
        write_tokens(path, tokens.values())
    finally:
        os.close(lock)
