"""``ferserve token``: what it writes, shows and refuses."""

from __future__ import annotations

import concurrent.futures
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ferserve.auth.authenticator import Authenticator
from ferserve.auth.identity import Peer
from ferserve.auth.token_file import read_tokens
from ferserve.cli.app import app
from ferserve.config import ServerConfig
from ferserve.errors import AuthenticationError, ConfigError

HERE = Peer("127.0.0.1", private=True)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["token", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_a_token_is_added_shown_once_and_revoked(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    token = run("add", "camera-7", "--role", "admin", "--file", str(path)).strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token.rpartition("_")[2] not in path.read_text()  # of its secret nothing is kept
    authenticator = Authenticator(ServerConfig(token_file=str(path)))
    assert authenticator.authenticate(f"Bearer {token}", HERE).name == "token camera-7"
    listed = run("list", "--file", str(path))
    assert ("camera-7" in listed, "admin" in listed, token.rpartition("_")[2] in listed) == (True, True, False)
    assert run("revoke", "camera-7", "--file", str(path)) == ""
    assert read_tokens(str(path)) == {}
    assert authenticator.refresh()
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(f"Bearer {token}", HERE)


def test_the_file_keeps_its_rights_and_may_be_named_by_the_configuration(tmp_path: Path) -> None:
    config, path = tmp_path / "ferserve.toml", tmp_path / "tokens.json"
    config.write_text(f'[server]\ntoken_file = "{path}"\n')
    run("add", "a", "--config", str(config))
    path.chmod(0o640)
    (tmp_path / "link.json").symlink_to(path)
    run("add", "b", "--file", str(tmp_path / "link.json"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [token.name for token in read_tokens(str(path)).values()] == ["a", "b"]
    assert sorted(found.name for found in tmp_path.iterdir()) == ["ferserve.toml", "link.json", "tokens.json"]


def test_commands_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "tokens.json")
    names = [f"camera-{number}" for number in range(20)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(_add, name, path) for name in names]:
            future.result()
    assert sorted(token.name for token in read_tokens(path).values()) == sorted(names)


def _add(name: str, path: str) -> None:
    from ferserve.cli.token import add_command  # CliRunner swaps sys.stdout, for one thread at a time

    add_command(name, file=path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "a b", "--file", "FILE"], "name must be 1 to 64 letters, digits, dots, dashes or @, got 'a b'"),
        (["add", "old", "--file", "FILE"], "name must be new, got old"),
        (["add", "new", "--role", "root", "--file", "FILE"], "--role must be one of use, admin, got 'root'"),
        (["add", "new", "--file", "FOLDER/none/tokens.json"], "No such file or directory; make its folder first"),
        (["add", "new"], "--file must name the file of tokens unless server.token_file does, got none"),
        (["revoke", "new", "--file", "FILE"], "name must be one of old, got 'new'"),
        (["list", "--file", "FOLDER/none"], "server.token_file must be a file that can be read"),
        (["list", "--file", "FOLDER"], "server.token_file must be a file that can be read"),
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    run("add", "old", "--file", str(path))
    before = path.read_bytes()
    with pytest.raises(ConfigError) as refused:
        run(*(word.replace("FILE", str(path)).replace("FOLDER", str(tmp_path)) for word in arguments))
    assert message in str(refused.value)
    assert path.read_bytes() == before
