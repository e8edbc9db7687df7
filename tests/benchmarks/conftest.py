"""What benchmarks share, and the figure that is kept: how many times as fast as its yardstick each one ran.

Both are timed in turns in the same run (:mod:`tests.benchmarks.measure`). Where a run is too long for turns, two
benchmarks of a group say ``extra_info["role"]``, ``"ours"`` or ``"peer"``, and their fastest rounds are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.benchmarks.subjects.subject import Room


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    """Ends what the subjects of a file started."""
    with Room() as opened:
        yield opened


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print one line per benchmark that has a yardstick."""
    session = getattr(config, "_benchmarksession", None)
    pairs: dict[str, dict[str, Any]] = {}
    for bench in session.benchmarks if session else ():
        info = bench.extra_info
        if "ratio" in info:
            terminalreporter.write_line(_line(bench.name, info["ratio"], info.get("yardstick", ""), info["at_least"]))
        elif info.get("role") and bench.stats.rounds:
            pairs.setdefault(bench.group, {})[info["role"]] = bench
    for group, pair in sorted(pairs.items()):
        if {"ours", "peer"} <= pair.keys():
            ratio = pair["peer"].stats.min / pair["ours"].stats.min
            terminalreporter.write_line(_line(group, ratio, "", pair["ours"].extra_info.get("at_least")))


def _line(title: str, ratio: float, yardstick: str, floor: float | None) -> str:
    verdict = "" if floor is None else f", floor {floor:.3g}: {'reached' if ratio >= floor else 'MISSED'}"
    return f"ratio {title}: {ratio:.2f} x{f' of {yardstick}' if yardstick else ''}{verdict}"
