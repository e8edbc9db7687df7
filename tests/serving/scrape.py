"""What Prometheus sees of a server."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from ferserve.config import Config, EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.server import Server
from ferserve.server.app import open_engine
from tests.serving.health import free_port


def _written(name: str) -> str:
    """The parser calls every counter ``_total``; Triton does not."""
    return name.removesuffix("_total") if name.startswith("nv_") else name


class Scrape:
    """One answer of the metrics port, as the official parser reads it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, Metric] = {metric.name: metric for metric in text_string_to_metric_families(text)}
        self.samples = {
            (_written(sample.name), frozenset(sample.labels.items())): sample.value
            for metric in self.families.values()
            for sample in metric.samples
        }

    def __getitem__(self, name: str) -> float:
        """The sum of all series of this sample name."""
        found = [value for (sample, _), value in self.samples.items() if sample == name]
        assert found, name
        return sum(found)

    def get(self, name: str, **labels: str) -> float:
        """One series."""
        return self.samples[name, frozenset(labels.items())]


def scrape(port: int) -> Scrape:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return Scrape(answer.read().decode())


def until(port: int, is_so: Callable[[Scrape], bool]) -> Scrape:
    """Scrape again and again until it is so; the test's own timeout ends it otherwise."""
    while not is_so(seen := scrape(port)):
        pass
    return seen


class Scraped(NamedTuple):
    """A server with a metrics port."""

    engine: Engine
    address: str
    port: int


@contextmanager
def scraped_server(engine: EngineConfig) -> Iterator[Scraped]:
    """A server with a metrics port, in a thread of its own."""
    config = Config(engine, ServerConfig(port=0, metrics_port=free_port()))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    with open_engine(config) as opened:
        server = Server(opened, config.server)
        address = asyncio.run_coroutine_threadsafe(server.start(), loop).result(20)
        yield Scraped(opened, address, config.server.metrics_port)
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
