"""The file of tokens: read whole or not at all, and written in one step."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ferserve.auth.identity import ROLES
from ferserve.auth.private_file import read_private
from ferserve.auth.token import Token
from ferserve.errors import ConfigError, quoted

MAX_BYTES = 4 * 1024 * 1024
"""Ten thousand tokens take two."""
_NAME = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
_FORMS = {
    "id": r"[0-9a-f]{12}",
    "name": _NAME,
    "role": "|".join(ROLES),
    "sha256": r"[0-9a-f]{64}",
    "created": r".{1,40}",
}
_SHAPE = '{"tokens": [...]} as `ferserve token add` writes it'


def require_name(name: str) -> None:
    """Raise :class:`ConfigError` unless ``name`` can be that of a token."""
    if not re.fullmatch(_NAME, name):
        raise ConfigError(f"name must be 1 to 64 letters, digits, dots, dashes or @, got {quoted(name)}")


def read_tokens(path: str) -> dict[str, Token]:
    """The tokens of a file by id.

    Raises :class:`ConfigError` if it cannot be read, if others than its owner and group may read it, or others than
    its owner write it, or if it is not whole.
    """
    text = read_private(path, "server.token_file", MAX_BYTES)
    if not text.strip():
        raise ConfigError(f"server.token_file must be {_SHAPE}, got an empty file {path}; add a token first")
    try:
        return _parsed(json.loads(text))
    except (ValueError, RecursionError) as error:  # half of a file too
        raise ConfigError(f"server.token_file must be {_SHAPE}, got {path}: {error}") from None


def _parsed(content: Any) -> dict[str, Token]:
    if not isinstance(content, dict) or not isinstance(content.get("tokens"), list):
        raise ValueError('no list "tokens"')
    tokens: dict[str, Token] = {}
    names: set[str] = set()
    for number, entry in enumerate(content["tokens"], 1):
        token = _token(entry, number)
        if token.id in tokens or token.name in names:
            raise ValueError(f"token {number} must have an id and a name of its own, got those of another")
        tokens[token.id] = token
        names.add(token.name)
    return tokens


def _token(entry: Any, number: int) -> Token:
    wanted = [field.name for field in fields(Token)]
    if not isinstance(entry, dict) or sorted(entry) != sorted(wanted):
        raise ValueError(f"token {number} must have the keys {', '.join(wanted)}")
    for key, form in _FORMS.items():
        if not isinstance(entry[key], str) or not re.fullmatch(form, entry[key]):
            raise ValueError(f"token {number} has a wrong {key}")
    return Token(**entry)


def write_tokens(path: str, tokens: Iterable[Token]) -> None:
    """Replace the file, with the rights that it had, or else for its owner alone.

    A reader finds the old file or the new one, also after a crash or on a full disk. Raises :class:`ConfigError`.
    """
    text = json.dumps({"tokens": [asdict(token) for token in tokens]}, indent=1) + "\n"
    target = Path(path).resolve()
    part = ""
    try:
        before = target.stat() if target.exists() else None
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w") as file:
            if before is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
                if (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        if part and os.path.exists(part):
            os.unlink(part)
        raise ConfigError(f"cannot write the token file {path}: {error.strerror}; nothing was changed") from None
