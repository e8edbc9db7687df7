"""The file of tokens: whole, closed to others, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ferserve.auth.authenticator import Authenticator
from ferserve.auth.token_file import read_tokens
from ferserve.config import ServerConfig
from ferserve.errors import ConfigError
from tests.serving.tokens import TokenFile


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        ("", 0o600, "got an empty file"),
        ('{"tokens": [{"id": "01', 0o600, "Unterminated string"),
        ("[]", 0o600, 'no list "tokens"'),
        ('{"tokens": [1]}', 0o600, "token 1 must have the keys id, name, role, sha256, created"),
        ("[" * 100_000, 0o600, "recursion"),
        ('{"tokens": []}', 0o644, "with mode 644; `chmod 640"),
        ('{"tokens": []}', 0o660, "with mode 660; `chmod 640"),
        (None, 0o600, "must be a file that can be read"),
    ],
)
def test_a_server_refuses_to_start_with_an_unsound_file(
    text: str | None, mode: int, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "tokens.json"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(ConfigError, match=message) as refused:
        Authenticator(ServerConfig(token_file=str(path)))
    assert str(refused.value).startswith("server.token_file must ")


@pytest.mark.parametrize("key", ["id", "name", "role", "sha256", "created"])
def test_each_field_of_a_token_is_checked(key: str, tmp_path: Path) -> None:
    token_file = TokenFile(tmp_path / "tokens.json")
    token_file.add("camera")
    content = json.loads(Path(token_file.path).read_text())
    for wrong in (None, 1, "", "no\nsuch value" * 20):
        entry = {**content["tokens"][0], key: wrong}
        Path(token_file.path).write_text(json.dumps({"tokens": [entry]}))
        with pytest.raises(ConfigError, match=f"token 1 has a wrong {key}"):
            read_tokens(token_file.path)
    Path(token_file.path).write_text(json.dumps({"tokens": content["tokens"] * 2}))
    with pytest.raises(ConfigError, match="token 2 must have an id and a name of its own"):
        read_tokens(token_file.path)
