"""``ferserve config``: what counts, what is wrong and where, and a file to begin with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ferserve.cli.app import app
from ferserve.config import Config
from ferserve.config_sources import load_config
from ferserve.setting_docs import settings

pytest.importorskip("tomllib", reason="TOML needs Python 3.11")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["config", *arguments], catch_exceptions=True)


def mistakes(path: Path) -> list[str]:
    """What ``config check`` prints of a file, without the file's name."""
    result = run("check", str(path))
    text = result.output or str(result.exception)
    assert result.exit_code != 0
    return [line.removeprefix(f"{path}:") for line in text.splitlines()]


WRONG = {
    "misspelt key": (
        '[server]\nhost = "::1"\nprot = 1\n',
        ["3: server setting 'prot' is unknown; the nearest valid one is 'port', by default 50051"],
    ),
    "key of another table": (
        "[server]\nthreads = 4\n",
        ["2: server setting 'threads' is unknown; the nearest valid one is 'engine.threads', by default 0"],
    ),
    "misspelt table": ("\n[sever]\nport = 1\n", ["2: section 'sever' is unknown; the nearest valid one is 'server'"]),
    "key without a table": ("port = 1\n", ["1: section 'port' is unknown; the nearest valid one is 'server.port'"]),
    "wrong type": ('[engine]\n# threads = 1\nthreads = "many"\n', ["3: engine.threads must be int, got 'many'"]),
    "out of range": ("[server]\n\n\nport = 70000\n", ["4: server.port must be from 0 to 65535, got 70000"]),
    "text without quotes": (
        "[server]\nport = 1\nhost = 0.0.0.0\n",
        ["3: server.host must be a TOML value, with text in quotes, given once, got 0.0.0.0: "],
    ),
    "given twice": (
        "[server]\nport = 1\nport = 2\n",
        ["3: server.port must be a TOML value, with text in quotes, given once, got 2: "],
    ),
    "no number but true": (
        "[server]\nadmin = 1\nmax_calls_per_client = true\n",
        [
            "2: server.admin must be true or false, got 1",
            "3: server.max_calls_per_client must be int, got True",
        ],
    ),
    "one without the other": (
        '[server]\ntls_cert = "cert.pem"\n\n[tls]\ncert = "c.pem"\nkey = "k.pem"\n',
        [
            "2: server.tls_cert needs server.tls_key; set server.tls_key or drop server.tls_cert",
            "5: tls.cert needs tls.ca; set tls.ca or drop tls.cert",
        ],
    ),
    "many at once": (
        'server = { port = -1, uds = "x", workers = 2 }\n'
        '[engine]\nmodel = """\nport = 1\n"""\nmin_score = 2\nmax_face = 3\n',
        [
            "7: engine setting 'max_face' is unknown; the nearest valid one is 'max_faces', by default 64",
            "6: engine.min_score must be from 0 to 1, got 2.0",
            "1: server.port must be from 0 to 65535, got -1",
            "1: server.uds must be empty if server.workers is above 1, got 'x'",
        ],
    ),
    "no TOML at all": ("\x00\x01", ["1: config file must be TOML, got "]),
    "dotted keys": (
        "server.port = 1\n\"server\".'prot' = 2\n",
        ["2: server setting 'prot' is unknown; the nearest valid one is 'port', by default 50051"],
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_each_mistake_is_named_with_its_line_its_key_and_what_was_expected(kind: str, tmp_path: Path) -> None:
    text, expected = WRONG[kind]
    path = tmp_path / "ferserve.toml"
    path.write_text(text)
    found = mistakes(path)
    assert len(found) == len(expected)
    for line, beginning in zip(found, expected, strict=True):
        assert line.startswith(beginning)


def test_a_file_of_another_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "ferserve.toml"
    path.write_bytes('[server]\nhost = "é"\n'.encode("latin-1"))
    assert mistakes(path) == ["2: config file must be TOML in UTF-8, got other bytes"]


def test_a_sound_file_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "ferserve.toml"
    path.write_text("[server]\r\nport = 1\r\nadmin = true\r\n")
    assert run("check", str(path)).output == f"{path}: 2 settings, no mistakes\n"


def test_what_counts_is_shown_with_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ferserve.toml"
    path.write_text('[server]\nport = 1\nhost = "::1"\n')
    monkeypatch.setenv("FERSERVE_SERVER_PORT", "2")
    shown = run("show", "--config", str(path)).output.splitlines()
    assert {"server.port = 2  # environment", f'server.host = "::1"  # {path}:3'} <= set(shown)
    assert "engine.max_faces = 64  # default" in shown
    assert len(shown) == len(list(settings()))
    changed = [
        json.loads(line) for line in run("show", "--config", str(path), "--changed", "--json").output.splitlines()
    ]
    assert changed == [
        {"setting": "server.host", "value": "::1", "source": f"{path}:3"},
        {"setting": "server.port", "value": 2, "source": "environment"},
    ]


def test_a_file_to_begin_with_says_all_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ferserve.toml"
    assert run("init", str(path)).exit_code == 0
    assert load_config(path, env={}) == Config()
    text = path.read_text()
    path.write_text(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.M))  # every setting, at its default
    assert load_config(path, env={}) == Config()
    assert run("check", str(path)).output == f"{path}: {len(list(settings()))} settings, no mistakes\n"
    assert run("init", str(path)).exit_code != 0  # it never writes over a file
    assert path.read_text() != text


def test_every_setting_is_documented() -> None:
    assert all(len(setting.text) > 20 for setting in settings())
