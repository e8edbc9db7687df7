"""The metrics port: what it answers, and to whom it hangs up."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError
from ferserve.server import Server
from tests.programs import put_on_path
from tests.serving.health import free_port
from tests.serving.process import serve_command
from tests.serving.scrape import Scrape, Scraped, scraped_server


@pytest.fixture(scope="module")
def scraped(engine_config: EngineConfig) -> Iterator[Scraped]:
    with scraped_server(engine_config) as scraped:
        yield scraped


def _ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"GET /metrics?name[]=up HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found"),
        (b"GET /metrics/../../etc/passwd HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"HTTP/1.1 405 Method Not Allowed"),
        (b"\x16\x03\x01\0\xff\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed"),
    ],
)
def test_requests_and_their_status(scraped: Scraped, request_: bytes, status: bytes) -> None:
    head, _, body = _ask(scraped.port, request_).partition(b"\r\n\r\n")
    assert head.startswith(status)
    assert (body == b"") == request_.startswith(b"HEAD")


def test_endless_requests_and_too_many_of_them_end(scraped: Scraped) -> None:
    assert _ask_until_closed(scraped.port, b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 100_000) == b""
    idle = [socket.create_connection(("127.0.0.1", scraped.port)) for _ in range(32)]
    assert _ask_until_closed(scraped.port, b"GET /metrics HTTP/1.1\r\n\r\n") == b""
    for connection in idle:
        connection.close()
    while not _ask_until_closed(scraped.port, b"GET /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200"):
        pass


def _ask_until_closed(port: int, request: bytes) -> bytes:
    """The answer; empty if the server hangs up."""
    try:
        return _ask(port, request)
    except (ConnectionResetError, BrokenPipeError):
        return b""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_taken_port_is_one_line(scraped: Scraped, model_dir: Path, workers: int) -> None:
    command = [
        "env",
        f"FERSERVE_SERVER_METRICS_PORT={scraped.port}",
        *serve_command(model_dir),
        "--workers",
        str(workers),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"server.metrics_port must be a free address of this machine, got 127.0.0.1:{scraped.port}" in done.stderr


async def test_an_engine_that_counts_nothing_is_refused(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="metrics_port needs an engine that counts"):
        Server(engine, ServerConfig(port=0, metrics_port=free_port()))


@pytest.mark.parametrize(("setting", "other"), [("port", 50052), ("health_port", 50052)])
def test_ports_differ(setting: str, other: int) -> None:
    with pytest.raises(
        ConfigError, match=f"server.metrics_port must be from 0 to 65535 and other than .*server.{setting}"
    ):
        ServerConfig(**{setting: other}, metrics_port=other)


def test_without_a_port_nothing_of_prometheus_is_imported() -> None:
    code = "import sys, ferserve.server.run, ferserve.engine; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_gpus_of_the_machine_have_tritons_names(
    engine_config: EngineConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "RAM 1773/7620MB GR3D_FREQ 45%@1300 VDD_IN 4123mW/4100mW"
    put_on_path(monkeypatch, tmp_path, "tegrastats", f"echo '{line}'; exec sleep 600")
    with scraped_server(engine_config) as scraped:
        body = _ask(scraped.port, b"GET /metrics HTTP/1.0\r\n\r\n").decode()
    seen = Scrape(body.partition("\r\n\r\n")[2])
    names = ("utilization", "memory_used_bytes", "memory_total_bytes", "power_usage")
    assert [seen.get(f"nv_gpu_{name}", gpu_uuid="jetson") for name in names] == [0.45, 1773 << 20, 7620 << 20, 4.123]
