"""Processes that average their weights. No Keras here: each process of a test imports this file."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from training.common.local_sgd import ALONE, Peers, together
from training.errors import DataError, TrainingError


def _average_rank(peers: Peers, out: Path) -> None:
    (mean,) = peers.average([np.full(3, peers.rank, np.float32)])
    np.save(out / f"{peers.rank}.npy", mean)


def _fail(peers: Peers) -> None:
    if peers.rank:
        raise SystemExit(3)
    peers.average([np.zeros(1, np.float32)])


def _refuse(peers: Peers) -> None:
    if peers.rank:
        raise DataError("faces.npz: labels must be other ones")
    peers.average([np.zeros(1, np.float32)])


def _fill_the_disk(peers: Peers) -> None:
    if peers.rank:
        raise OSError(errno.ENOSPC, "No space left on device", "state.npz")
    peers.average([np.zeros(1, np.float32)])


def test_a_foreseen_error_of_a_process_is_that_of_all() -> None:
    with pytest.raises(DataError, match=r"^faces\.npz: labels must be other ones$"):
        together(2, 1, _refuse)
    with pytest.raises(OSError, match="No space left on device") as full:
        together(2, 1, _fill_the_disk)
    assert full.value.errno == errno.ENOSPC


def test_peers_average_and_a_failed_one_ends_all(tmp_path: Path) -> None:
    together(2, 3, _average_rank, tmp_path)
    for rank in range(2):
        np.testing.assert_array_equal(np.load(tmp_path / f"{rank}.npy"), np.full(3, 0.5))
    with pytest.raises(TrainingError, match="must end with 0"):
        together(2, 1, _fail)


def test_one_peer_keeps_its_arrays() -> None:
    array = np.arange(3, dtype=np.float32)
    assert ALONE.average([array])[0] is array
