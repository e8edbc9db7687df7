"""Processes that average their weights. No Keras here: each process of a test imports this file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.peers import ALONE, Peers, together


def _average_rank(peers: Peers, out: Path) -> None:
    (mean,) = peers.average([np.full(3, peers.rank, np.float32)])
    np.save(out / f"{peers.rank}.npy", mean)


def _fail(peers: Peers) -> None:
    if peers.rank:
        raise SystemExit(3)
    peers.average([np.zeros(1, np.float32)])


def test_peers_average_and_a_failed_one_ends_all(tmp_path: Path) -> None:
    together(2, 3, _average_rank, tmp_path)
    for rank in range(2):
        np.testing.assert_array_equal(np.load(tmp_path / f"{rank}.npy"), np.full(3, 0.5))
    with pytest.raises(RuntimeError, match="must end with 0"):
        together(2, 1, _fail)


def test_one_peer_keeps_its_arrays() -> None:
    array = np.arange(3, dtype=np.float32)
    assert ALONE.average([array])[0] is array
