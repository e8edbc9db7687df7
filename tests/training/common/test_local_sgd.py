"""Processes that average their weights. No Keras here: each process of a test imports this file."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from training.common.local_sgd import ONE_PROCESS, ProcessGroup, run_processes
from training.errors import DataError, TrainingError


def _average_rank(group: ProcessGroup, out: Path) -> None:
    (mean,) = group.average([np.full(3, group.rank, np.float32)])
    np.save(out / f"{group.rank}.npy", mean)


def _fail(group: ProcessGroup) -> None:
    if group.rank:
        raise SystemExit(3)
    group.average([np.zeros(1, np.float32)])


def _refuse(group: ProcessGroup) -> None:
    if group.rank:
        raise DataError("faces.npz: labels must be other ones")
    group.average([np.zeros(1, np.float32)])


def _fill_the_disk(group: ProcessGroup) -> None:
    if group.rank:
        raise OSError(errno.ENOSPC, "No space left on device", "state.npz")
    group.average([np.zeros(1, np.float32)])


def test_a_foreseen_error_of_a_process_is_that_of_all() -> None:
    with pytest.raises(DataError, match=r"^faces\.npz: labels must be other ones$"):
        run_processes(2, 1, _refuse)
    with pytest.raises(OSError, match="No space left on device") as full:
        run_processes(2, 1, _fill_the_disk)
    assert full.value.errno == errno.ENOSPC


def test_peers_average_and_a_failed_one_ends_all(tmp_path: Path) -> None:
    run_processes(2, 3, _average_rank, tmp_path)
    for rank in range(2):
        np.testing.assert_array_equal(np.load(tmp_path / f"{rank}.npy"), np.full(3, 0.5))
    with pytest.raises(TrainingError, match="exit codes of training processes must be 0"):
        run_processes(2, 1, _fail)


def test_one_peer_keeps_its_arrays() -> None:
    array = np.arange(3, dtype=np.float32)
    assert ONE_PROCESS.average([array])[0] is array
