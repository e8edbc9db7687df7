"""Configuration from four sources."""

from pathlib import Path
from typing import Any

import pytest

from ferserve.config import Config, EngineConfig, ServerConfig
from ferserve.config_sources import load_config
from ferserve.errors import ConfigError
from ferserve.options import FrameOptions, StreamOptions


def test_later_sources_win(tmp_path: Path) -> None:
    pytest.importorskip("tomllib", reason="TOML needs Python 3.11")
    path = tmp_path / "ferserve.toml"
    path.write_text('[server]\nport = 1000\nhost = "::1"\ngrace_s = 3\n[engine]\nthreads = 2\n')
    env = {"FERSERVE_SERVER_PORT": "2000", "FERSERVE_ENGINE_MIN_SCORE": "0.25", "HOME": "/"}
    config = load_config(path, env, {"server": {"port": 3000, "host": None}})
    assert (config.server.port, config.server.host, config.server.grace_s) == (3000, "::1", 3.0)
    assert (config.engine.threads, config.engine.min_score) == (2, 0.25)
    assert config.server.max_message_bytes == ServerConfig().max_message_bytes


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("True", True), ("on", True), ("0", False), ("no", False)])
def test_the_environment_turns_switches(text: str, expected: bool) -> None:
    assert load_config(env={"FERSERVE_SERVER_ADMIN": text}).server.admin is expected


def test_nothing_given_gives_the_defaults() -> None:
    assert load_config(env={}) == Config()


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"FERSERVE_SERVER_PROT": "1"}, "'prot' is unknown; the nearest valid one is 'port'"),
        ({"FERSERVE_SERVER_PORT": "http"}, "environment: server.port must be int, got 'http'"),
        ({"FERSERVE_SERVER_PORT": "70000"}, "server.port must be from 0 to 65535, got 70000"),
        ({"FERSERVE_ENGINE_MIN_SCORE": "nan"}, "engine.min_score must be from 0 to 1, got nan"),
        ({"FERSERVE_SERVER_ADMIN": "maybe"}, "environment: server.admin must be true or false, got 'maybe'"),
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
        ("[server]\nadmin = 1", "server.admin must be true or false, got 1"),
        ("[server\n", "must be TOML"),
        ("[engine]\nsmoothing_ms = true", "engine.smoothing_ms must be float, got True"),
        (f"[engine]\nresume_s = {10**400}", f"engine.resume_s must be float, got {10**400}"),
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


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        (
            "detection_interval",
            1001,
            "engine.detection_interval must be from min_detection_interval 2 to 1000, got 1001",
        ),
        ("detection_interval", 1, "engine.detection_interval must be from min_detection_interval 2 to 1000, got 1"),
        ("max_detection_side_px", 65536, "engine.max_detection_side_px must be from 0 to 65535, got 65536"),
        ("max_detection_side_px", -1, "engine.max_detection_side_px must be from 0 to 65535, got -1"),
        ("max_queue_delay_us", 10**16, "engine.max_queue_delay_us must be from 0 to 1000000 us, got 1"),
        ("smoothing_ms", True, "engine.smoothing_ms must be float, got True"),
        ("threads", True, "engine.threads must be int, got True"),
        ("resume_s", 10**400, "engine.resume_s must be float, got 1"),
    ],
)
def test_what_would_fail_later_is_refused_at_the_start(setting: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(env={}, flags={"engine": {setting: value}})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("receive_timeout_s", 0.0, "above 0 s, got 0.0"),
        ("receive_timeout_s", float("nan"), "above 0 s, got nan"),
        ("max_receiving_bytes", 0, "at least 1, got 0"),
        ("max_receiving_bytes_per_client", -1, "at least 1, got -1"),
        ("max_connections", 0, "from 1 to 1000000, got 0"),
        ("max_connections_per_client", 10**7, "from 1 to 1000000, got 10000000"),
        ("max_calls_per_client", 0, "from 1 to 1000000, got 0"),
        ("max_connection_idle_s", float("inf"), "from 0 to 2000000 s, got inf"),
        ("max_connection_age_s", -0.5, "from 0 to 2000000 s, got -0.5"),
    ],
)
def test_limits_on_clients_are_checked(setting: str, value: float, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerConfig(**{setting: value})  # type: ignore[arg-type]
    assert str(caught.value) == f"server.{setting} must be {expected}"


def test_a_message_may_be_as_large_as_grpc_can_count() -> None:
    assert ServerConfig(max_message_bytes=2**31 - 1).max_message_bytes == 2**31 - 1
    with pytest.raises(
        ConfigError, match=r"server\.max_message_bytes must be 0 or from 1024 to 2147483647, got 2147483648"
    ):
        ServerConfig(max_message_bytes=2**31)


def test_the_engine_may_be_set_to_what_callers_may_ask_for_and_to_no_more() -> None:
    engine = EngineConfig(detection_side_px=65535, max_detection_side_px=65535, detection_interval=1000)
    frame = FrameOptions(detection_side_px=engine.detection_side_px)
    assert StreamOptions(frame, detection_interval=engine.detection_interval).frame is frame


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"worker_ports": 50050, "workers": 4}, "server.worker_ports must be 0, or the first of 4 ports"),
        ({"worker_ports": 65534, "workers": 4}, "got 65534"),
        ({"worker_ports": -1}, "got -1"),
        ({"worker_ports": 50061, "uds": "/tmp/x"}, "without server.uds"),
        ({"worker_ports": 9000, "health_port": 9001, "workers": 2}, "that are no other's"),
        ({"instance": "two words"}, "server.instance must be up to 100 letters"),
        ({"instance": "x" * 101}, "server.instance must be"),
    ],
)
def test_whereabouts_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerConfig(**settings)
    assert message in str(caught.value)
