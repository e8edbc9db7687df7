"""Numbers that worker processes share."""

from __future__ import annotations

import multiprocessing

from ferserve.server.workers.shared_counts import SharedCounts


def _add(counts: SharedCounts, index: int) -> None:
    counts[index] += 10


def test_processes_see_each_others_numbers() -> None:
    context = multiprocessing.get_context("spawn")
    counts = SharedCounts(3, -1)
    for index in (0, 2):
        process = context.Process(target=_add, args=(counts, index))
        process.start()
        process.join()
        assert process.exitcode == 0
    assert list(counts) == [9, -1, 9]
    assert len(counts) == 3
