"""A file of tokens for a test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ferserve.auth.token import Token, new_secret
from ferserve.auth.token_file import write_tokens


class TokenFile:
    """A file of tokens, and the tokens themselves."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.entries: dict[str, Token] = {}

    def add(self, name: str, role: Any = "use") -> str:
        token_id, digest, text = new_secret()
        self.entries[name] = Token(token_id, name, role, digest, "2026-11-28T00:00:00Z")
        write_tokens(self.path, self.entries.values())
        return text

    def text(self) -> str:
        return Path(self.path).read_text()

    def put(self, text: str, mode: int) -> None:
        """As an editor or a copy does it: in place."""
        Path(self.path).write_text(text)
        os.chmod(self.path, mode)

    def revoke(self, name: str) -> None:
        del self.entries[name]
        write_tokens(self.path, self.entries.values())
