"""The figure that is kept: how many times faster than its peer each benchmark ran, beside the floor it must reach.

A benchmark says ``benchmark.extra_info["role"]``, ``"ours"`` or ``"peer"``, and ours ``["at_least"]`` if there is a
floor. Both are timed in the same run; the fastest rounds are compared, for noise only ever adds time.
"""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print one line per group that has a peer."""
    session = getattr(config, "_benchmarksession", None)
    pairs: dict[str, dict[str, object]] = {}
    for bench in session.benchmarks if session else ():
        role = bench.extra_info.get("role")
        if role and bench.stats.rounds:
            pairs.setdefault(bench.group, {})[role] = bench
    for group, pair in sorted(pairs.items()):
        if {"ours", "peer"} <= pair.keys():
            terminalreporter.write_line(_line(group, pair["ours"], pair["peer"]))


def _line(group: str, ours: object, peer: object) -> str:
    mine, theirs = ours.stats.min * 1e6, peer.stats.min * 1e6  # type: ignore[attr-defined]
    ratio = theirs / mine
    floor = ours.extra_info.get("at_least")  # type: ignore[attr-defined]
    verdict = "" if floor is None else f", floor {floor:.3g}: {'reached' if ratio >= floor else 'MISSED'}"
    return f"ratio {group}: {ratio:.2f} x ({mine:.2f} us against {theirs:.2f} us){verdict}"
