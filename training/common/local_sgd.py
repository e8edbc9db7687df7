"""Local SGD: several processes train one network, each on its own rows, and average their weights every few steps.

On a CPU that others use too, threads that synchronise after every layer wait for the slowest one all the time;
processes that synchronise every few seconds do not (measured: docs/emotion-lite.md). Stich 2019, arXiv:1805.09767,
algorithm 1.
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
"""How long a process waits for the others before it gives up; the machine may be busy."""


@dataclass(frozen=True)
class ProcessGroup:
    """``size`` processes that share memory, seen from the one with number ``rank``."""

    rank: int
    size: int
    barrier: Any
    memory: Any

    def average(self, arrays: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The mean of ``arrays`` over the group. Every process must call it, with arrays of the same shapes."""
        if self.size == 1:
            return list(arrays)
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            raise SystemExit("the process that started this training has gone")
        shared = np.frombuffer(self.memory, np.float32).reshape(self.size, -1)
        flat = np.concatenate([array.ravel() for array in arrays])
        shared[self.rank, : flat.size] = flat
        self.barrier.wait(PATIENCE_S)
        mean = shared[:, : flat.size].mean(axis=0)
        self.barrier.wait(PATIENCE_S)
        parts = np.split(mean, np.cumsum([array.size for array in arrays])[:-1])
        return [part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True)]


ONE_PROCESS = ProcessGroup(0, 1, None, None)


def run_processes(count: int, numbers: int, work: Callable[..., None], *arguments: Any) -> None:
    """Run ``work(group, *arguments)`` in ``count`` processes that can average up to ``numbers`` floats.

    ``work`` must be importable; with one process it runs in this one. If a process fails, the others are ended. Raises
    its error if that was foreseen, else :class:`TrainingError`.
    """
    if count == 1:
        work(ONE_PROCESS, *arguments)
        return
    context = multiprocessing.get_context("spawn")
    barrier, memory, errors = context.Barrier(count), context.RawArray("f", count * numbers), context.SimpleQueue()
    groups = [ProcessGroup(rank, count, barrier, memory) for rank in range(count)]
    workers = [context.Process(target=_work, args=(errors, work, group, *arguments), daemon=True) for group in groups]
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
    if not errors.empty():
        raise errors.get()
    failed = [rank for rank, worker in enumerate(workers) if worker.exitcode]
    if failed:
        raise TrainingError(
            f"exit codes of training processes must be 0, got others from {failed}; look at their output"
        )


def _work(errors: Any, work: Callable[..., None], *arguments: Any) -> None:
    """Body of each process; hands a foreseen error to the parent."""
    try:
        work(*arguments)
    except Exception as error:
        if not is_foreseen(error):
            raise
        errors.put(error)
        raise SystemExit(1) from None


def use_one_thread() -> None:
    """Keep this process to one thread, if others take the other cores. Call it before Keras's first step."""
    import keras

    os.environ["OMP_NUM_THREADS"] = "1"
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
