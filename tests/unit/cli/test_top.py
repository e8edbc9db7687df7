"""``ferserve top``: what it shows of a server, against what clients were answered."""

from __future__ import annotations

import http.server
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import ferserve
from ferserve.cli.scrape import Interval, Scrape
from ferserve.config import EngineConfig
from ferserve.errors import InvalidFrameError
from tests.serving.commands import run_command
from tests.serving.health import free_port
from tests.serving.scrape import scraped_server
from tests.serving.streams import astronaut_jpeg


def test_one_table_shows_what_a_server_did(engine_config: EngineConfig) -> None:
    with scraped_server(engine_config) as server, ferserve.Client(server.address) as client:
        assert len(list(client.stream([astronaut_jpeg()] * 5))) == 5
        with pytest.raises(InvalidFrameError):
            client.classify(b"no picture")
        done = run_command("top", "--target", f"127.0.0.1:{server.port}", "--once", "--interval", 0.1)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [re.split(r"  +", line.strip()) for line in done.stdout.splitlines()]
    assert done.stdout.startswith(f"ferserve {ferserve.__version__} at 127.0.0.1:{server.port}: brightness")
    assert ["answered", "0.0", "5"] in rows
    assert ["fault invalid_frame", "0.0", "1"] in rows
    assert ["refused call, invalid_frame", "0.0", "1"] in rows
    assert ["decode", "-", "-", "-"] in rows, "nothing happened meanwhile"
    assert "0 streams open" in done.stdout
    (worker,) = (row for row in rows if row[:2] == ["0", "up"])
    assert worker[-1] == "1"


def _scrape(time_s: float, frames: float, buckets: dict[str, float]) -> Scrape:
    bounds = [({"le": bound, "stage": "decode"}, count) for bound, count in buckets.items()]
    return Scrape({"ferserve_frames_total": [({"outcome": "answered"}, frames)], "t_bucket": bounds}, time_s)


def test_rates_and_quantiles_are_those_of_the_interval() -> None:
    """As Prometheus' histogram_quantile gives them: 10 in (1, 2], 80 in (2, 4], 10 beyond."""
    before = _scrape(10.0, 100, {"1.0": 5, "2.0": 5, "4.0": 5, "+Inf": 5})
    after = _scrape(12.0, 150, {"1.0": 5, "2.0": 15, "4.0": 95, "+Inf": 105})
    interval = Interval(before, after)
    assert interval.rate("ferserve_frames_total", outcome="answered") == 25
    assert interval.quantile("t", 0.05, stage="decode") == pytest.approx(1.5)
    assert interval.quantile("t", 0.5, stage="decode") == pytest.approx(3.0)
    assert interval.quantile("t", 0.99, stage="decode") == 4.0
    assert interval.quantile("t", 0.5, stage="infer") is None
    assert Interval(after, after).quantile("t", 0.5) is None


def test_a_server_that_started_again_counts_from_zero() -> None:
    interval = Interval(_scrape(0.0, 1000, {"+Inf": 7}), _scrape(2.0, 30, {"+Inf": 3}))
    assert interval.growth("ferserve_frames_total") == 30


class _Answers(http.server.BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def _serving(body: bytes) -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), type("", (_Answers,), {"body": body})) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"", "of another"), (b"# TYPE up gauge\nup 1\n", "of another"), (b"a{b 1\n", "got"), (b"\xff\0" * 99, "got")],
    ids=["empty", "another", "broken", "binary"],
)
def test_what_is_no_server_of_ours_is_one_sentence(body: bytes, words: str) -> None:
    with _serving(body) as port:
        done = run_command("top", "--target", f"127.0.0.1:{port}", "--once")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert re.match(rf"ferserve: target must be the metrics port of a .*server, got 127.0.0.1:{port}.*", done.stderr)
    assert words in done.stderr


def test_the_grpc_port_is_not_the_one(engine_config: EngineConfig) -> None:
    with scraped_server(engine_config) as server:
        done = run_command("top", "--target", server.address, "--once")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"got {server.address}, where nobody speaks HTTP; its gRPC port is another one\n")


@pytest.mark.parametrize("target", ["", "127.0.0.1", "no such host:1", "127.0.0.1:FREE"])
def test_a_target_without_a_server_is_one_sentence(target: str) -> None:
    started = time.monotonic()
    done = run_command("top", "--target", target.replace("FREE", str(free_port())), "--once")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("ferserve: target must be the metrics port of a server, got ")
    assert time.monotonic() - started < 40
