"""Processes that train one network together: each on its own rows, their weights averaged every few steps.

On a CPU that others use too, threads that meet after every layer wait for the slowest all the time; processes that
meet every few seconds do not (measured: docs/emotion-lite.md). The method is local SGD (Stich 2019, arXiv:1805.09767,
algorithm 1).
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError, is_foreseen

PATIENCE_S = 600.0
"""How long one waits for the others before it gives up; the machine may be busy."""


@dataclass(frozen=True)
class Peers:
    """One process's place among ``count`` that share memory."""

    rank: int
    count: int
    barrier: Any
    memory: Any

    def average(self, arrays: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The mean of every peer's ``arrays``, which have the same shapes everywhere; all must call it."""
        if self.count == 1:
            return list(arrays)
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            raise SystemExit("the process that started this training has gone")
        shared = np.frombuffer(self.memory, np.float32).reshape(self.count, -1)
        flat = np.concatenate([array.ravel() for array in arrays])
        shared[self.rank, : flat.size] = flat
        self.barrier.wait(PATIENCE_S)
        mean = shared[:, : flat.size].mean(axis=0)
        self.barrier.wait(PATIENCE_S)
        parts = np.split(mean, np.cumsum([array.size for array in arrays])[:-1])
        return [part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True)]


ALONE = Peers(0, 1, None, None)


def together(count: int, numbers: int, work: Callable[..., None], *arguments: Any) -> None:
    """Run ``work(peers, *arguments)`` in ``count`` processes that can average up to ``numbers`` floats.

    ``work`` must be importable. Where a process fails the others are ended, and its own error is raised here if it was
    foreseen, else :class:`TrainingError`.
    """
    if count == 1:
        work(ALONE, *arguments)
        return
    context = multiprocessing.get_context("spawn")
    barrier, memory, told = context.Barrier(count), context.RawArray("f", count * numbers), context.SimpleQueue()
    places = [Peers(rank, count, barrier, memory) for rank in range(count)]
    workers = [context.Process(target=_tell, args=(told, work, place, *arguments), daemon=True) for place in places]
    for worker in workers:
        worker.start()
    try:
        while any(worker.is_alive() for worker in workers):
            for worker in workers:
                worker.join(0.5)
            if any(worker.exitcode for worker in workers):
                break
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
            worker.join()
    if not told.empty():
        raise told.get()
    failed = [rank for rank, worker in enumerate(workers) if worker.exitcode]
    if failed:
        raise TrainingError(f"training processes must end with 0, got another code from {failed}; look at their output")


def _tell(told: Any, work: Callable[..., None], *arguments: Any) -> None:
    """What each process does: ``work``, of which a foreseen error goes to the process that waits."""
    try:
        work(*arguments)
    except Exception as error:
        if not is_foreseen(error):
            raise
        told.put(error)
        raise SystemExit(1) from None


def use_one_thread() -> None:
    """Keep this process to one thread, where others beside it take the other cores; before Keras's first step."""
    import keras

    os.environ["OMP_NUM_THREADS"] = "1"
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
