"""A real server and its clients: single messages, many cameras, many crops; no server at all is the yardstick of load.

Loads are played by the generators of ``ferserve bench``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ferserve.bench.crops import CropsPlan, CropsReport, bench_crops
from ferserve.bench.streams import StreamsPlan, StreamsReport, bench_streams
from ferserve.config import Config
from ferserve.processors import usable_processors
from tests.benchmarks.measure import parameters, time_subject, write_down
from tests.benchmarks.subjects import serving
from tests.benchmarks.subjects.subject import Room, Subject

SECONDS = 3.0
CAMERAS = sorted({1, 8, 2 * usable_processors()})


@pytest.mark.parametrize("subject", parameters(serving.SUBJECTS))
def test_serving(benchmark: BenchmarkFixture, subject: Subject, room: Room) -> None:
    time_subject(benchmark, subject, room)


def play(benchmark: BenchmarkFixture, load: Callable[[], StreamsReport | CropsReport]) -> dict[str, object]:
    """Run a load once and write down its report."""
    reports: list[StreamsReport | CropsReport] = []
    benchmark.group = "serving load"
    benchmark.pedantic(lambda: reports.append(load()), rounds=1)
    figures = dataclasses.asdict(reports[0])
    write_down(benchmark, {**figures, "yardstick": "no server", "at_least": None})
    return figures


@pytest.mark.heavy
@pytest.mark.parametrize("cameras", CAMERAS)
def test_cameras(benchmark: BenchmarkFixture, cameras: int) -> None:
    plan = StreamsPlan(cameras=cameras, seconds=SECONDS, raw_seconds=2.0)
    figures = play(benchmark, lambda: bench_streams(plan, Config(), lambda _: None))
    assert figures["answered"]
    assert not figures["faults"]
    assert not figures["lost"]


@pytest.mark.heavy
@pytest.mark.parametrize("batch", [1, 16])
def test_crops(benchmark: BenchmarkFixture, batch: int) -> None:
    plan = CropsPlan(batch=batch, seconds=SECONDS, raw_seconds=2.0)
    figures = play(benchmark, lambda: bench_crops(plan, Config(), lambda _: None))
    assert figures["per_second"]
    assert not figures["failed"]
