"""One training from arrays to averaged weights on disk, in one or several processes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.common.local_sgd import ProcessGroup, run_processes, use_one_thread
from training.emotion_lite.fit import FitOptions, Floats, Trainer
from training.emotion_lite.validation import public_test_accuracy
from training.emotion_lite.voted_samples import VotedSamples
from training.models.emotion_lite import build_model
from training.models.emotion_stages import Stage


def train_model(
    stages: Sequence[Stage], images: NDArray[np.uint8], targets: Floats, test: VotedSamples, options: FitOptions,
    out: Path, processes: int = 1, start: Sequence[Floats] | None = None,
) -> keras.Model:  # fmt: skip
    """Train, or resume an unfinished run in ``out``; returns the model with its averaged weights.

    ``images`` (N, 48, 48) luma and ``targets`` (N, 17); ``test`` is for validation; ``start`` are
    initial weights instead of random ones. Raises :class:`training.errors.CheckpointError` if the state in ``out`` is
    damaged or of other rows.
    """
    options = replace(options, batch_size=min(options.batch_size, len(images)))
    # A process must have some batches per epoch to be worth its start.
    processes = max(1, min(processes, len(images) // (8 * options.batch_size)))
    model = build_model(stages)
    rows = _fingerprint(images, targets)
    trainer = Trainer(model, out, options, rows=rows)
    if not trainer.resume() or trainer.epoch < options.epochs:
        numbers = 2 * model.count_params()
        run_processes(processes, numbers, _work, stages, images, targets, test, options, out, start, rows)
        trainer.resume()
    model.set_weights(trainer.average)
    return model


def _fingerprint(images: NDArray[np.uint8], targets: Floats) -> str:
    """Hex digest of a run's rows, so that it is not resumed on others."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(np.ascontiguousarray(targets).data)
    return digest.hexdigest()


def _work(
    group: ProcessGroup, stages: Sequence[Stage], images: NDArray[np.uint8], targets: Floats, test: VotedSamples,
    options: FitOptions, out: Path, start: Sequence[Floats] | None, rows: str,
) -> None:  # fmt: skip
    """Body of each process."""
    if group.size > 1:
        use_one_thread()
    # The same initial weights in every process.
    keras.utils.set_random_seed(options.seed)
    model = build_model(stages)
    if start is not None:
        model.set_weights(start)
    trainer = Trainer(model, out, options, group, rows)
    trainer.resume()
    trainer.run(images, targets, public_test_accuracy(test))
