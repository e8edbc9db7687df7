"""Times a subject and its yardstick in the same run, and writes down what a figure needs beside it."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ferserve.bench.process_stats import process_stats
from tests.benchmarks.blocks import turns
from tests.benchmarks.environment import machine, versions
from tests.benchmarks.subjects.subject import Call, Room, Subject, Work


def parameters(subjects: Sequence[Subject]) -> list[Any]:
    """For ``pytest.mark.parametrize``; heavy ones are marked."""
    return [pytest.param(s, id=s.name, marks=[pytest.mark.heavy] if s.heavy else []) for s in subjects]


def time_subject(benchmark: BenchmarkFixture, subject: Subject, room: Room) -> None:
    """The subject by pytest-benchmark, and in turns with its yardstick."""
    work = subject.make(room)
    benchmark.group = subject.group
    benchmark.name = subject.title
    began_s, used_s = time.perf_counter(), cpu_s(work)
    benchmark(work.ours)
    cores = (cpu_s(work) - used_s) / (time.perf_counter() - began_s)
    figures = {**figures_of(benchmark, work, cores), "runs_on": work.runs_on, "threads": work.threads}
    if work.yardstick:
        figures |= ratio_of(work.ours, work.yardstick)
        figures |= {"yardstick": subject.yardstick, "at_least": subject.floor}
    write_down(benchmark, figures)


def write_down(benchmark: BenchmarkFixture, figures: Mapping[str, Any]) -> None:
    """``figures`` with the machine and versions, into the saved JSON."""
    benchmark.extra_info |= {**figures, "machine": machine(), "versions": versions()}


def cpu_s(work: Work) -> float:
    """CPU seconds of this process and of those that work for it, so far."""
    return process_stats(os.getpid(), *work.pids).cpu_s


def figures_of(benchmark: BenchmarkFixture, work: Work, cores: float) -> dict[str, Any]:
    """Speed, spread, CPU time and memory of what was just timed; ``cores`` were busy meanwhile."""
    seconds = np.array(benchmark.stats.stats.data)
    median_s = float(np.median(seconds))
    return {
        "fps": work.units / median_s,
        "p50_ms": median_s * 1e3,
        "p99_ms": float(np.percentile(seconds, 99)) * 1e3,
        "cpu_ms_per_unit": cores * median_s * 1e3 / work.units,
        "rss_mb": process_stats(os.getpid(), *work.pids).rss_mb,
    }


def ratio_of(ours: Call, yardstick: Call) -> dict[str, Any]:
    """How many times as fast as the yardstick, its quartiles, and the yardstick's own time."""
    pairs = turns(ours, yardstick)
    low, ratio, high = statistics.quantiles([its / our for our, its in pairs], n=4)
    its_s = statistics.median(its for _, its in pairs)
    assert math.isfinite(ratio)
    return {"ratio": ratio, "ratio_quartiles": [low, high], "yardstick_ms": its_s * 1e3}
