"""Configuration from four sources."""

from pathlib import Path

import pytest

from ferserve.config import Config, EngineConfig, ServerConfig, load_config
from ferserve.errors import ConfigError


def test_later_sources_win(tmp_path: Path) -> None:
    pytest.importorskip("tomllib", reason="TOML needs Python 3.11")
    path = tmp_path / "ferserve.toml"
    path.write_text('[server]\nport = 1000\nhost = "::1"\ngrace_s = 3\n[engine]\nthreads = 2\n')
    env = {"FERSERVE_SERVER_PORT": "2000", "FERSERVE_ENGINE_MIN_SCORE": "0.25", "HOME": "/"}
    config = load_config(path, env, {"server": {"port": 3000, "host": None}})
    assert (config.server.port, config.server.host, config.server.grace_s) == (3000, "::1", 3.0)
    assert (config.engine.threads, config.engine.min_score) == (2, 0.25)
    assert config.server.max_message_bytes == ServerConfig().max_message_bytes


def test_nothing_given_gives_the_defaults() -> None:
    assert load_config(env={}) == Config()


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"FERSERVE_SERVER_PROT": "1"}, "'prot' is unknown; the nearest valid one is 'port'"),
        ({"FERSERVE_SERVER_PORT": "http"}, "environment: server.port must be int, got 'http'"),
        ({"FERSERVE_SERVER_PORT": "70000"}, "server.port must be from 0 to 65535, got 70000"),
        ({"FERSERVE_ENGINE_MIN_SCORE": "nan"}, "engine.min_score must be from 0 to 1, got nan"),
    ],
)
def test_mistakes_in_the_environment_are_named(env: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(env=env)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[sever]\nport = 1", "section 'sever' is unknown; the nearest valid one is 'server'"),
        ("port = 1", "section 'port' is unknown"),
        ("server = 1", "server must be a table of settings, got 1"),
        ("[server]\nport = true", "server.port must be int, got True"),
        ("[server\n", "must be TOML"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path: Path, text: str, message: str) -> None:
    pytest.importorskip("tomllib", reason="TOML needs Python 3.11")
    path = tmp_path / "ferserve.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert message in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("tomllib", reason="TOML needs Python 3.11")
    with pytest.raises(ConfigError, match="config file must be readable"):
        load_config(tmp_path / "none.toml", {})


def test_limits_are_checked_together() -> None:
    with pytest.raises(ConfigError, match="must be 0 or from 32 to max_detection_side_px 64, got 320"):
        EngineConfig(detection_side_px=320, max_detection_side_px=64)
