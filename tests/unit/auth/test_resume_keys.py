"""The file of resume keys."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from ferserve.auth.resume_keys import ResumeKeys, read_keys
from ferserve.errors import ConfigError

KEY = bytes(range(1, 33)).hex()


def _file(tmp_path: Path, content: str | bytes, mode: int = 0o600) -> str:
    path = tmp_path / "keys"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return str(path)


def test_keys_stand_in_lines(tmp_path: Path) -> None:
    longer = secrets.token_hex(64)
    keys = read_keys(_file(tmp_path, f"# two keys\r\n\n  {KEY.upper()}\n{longer}\n", 0o640))
    assert [key.secret.hex() for key in keys] == [KEY, longer]
    assert len({key.name for key in keys}) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must have 1 to 16 keys, got 0"),
        ("# none\n", "must have 1 to 16 keys, got 0"),
        ("\n".join([KEY] * 17), "must have 1 to 16 keys, got 17"),
        (KEY[:-2], "at least 32 bytes in hex per line, got another line 1"),
        (KEY[:-1], "got another line 1"),
        (f"{KEY}\nsecret words that are no hex at all, but long enough to be a key", "got another line 2"),
        (b"\xff\xfe" + bytes(64), "got another line 1"),
        ("a" * 70_000, "at most 65536 bytes"),
    ],
)
def test_what_is_no_key_is_refused_and_not_quoted(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_keys(_file(tmp_path, content))
    assert message in str(caught.value)
    assert "secret words" not in str(caught.value)
    assert KEY[:8] not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="chmod 640"):
        read_keys(_file(tmp_path, KEY, mode))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"server\.resume_key_file must be a file that can be read, got .*absent"):
        read_keys(str(tmp_path / "absent"))


def test_a_change_that_cannot_be_read_leaves_the_keys_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ferserve.auth.resume_keys._CHECK_S", 0.0)
    keys = ResumeKeys(_file(tmp_path, KEY))
    before = list(keys.now())
    _file(tmp_path, f"{KEY}\n{KEY[:-1]}")
    assert [list(keys.now()) for _ in range(3)] == [before] * 3
    assert [record.message for record in caplog.records if "stay in force" in record.message] == [caplog.messages[0]]
    _file(tmp_path, secrets.token_hex(40))
    assert list(keys.now()) != before
