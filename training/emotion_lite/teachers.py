"""Trained networks that label every augmented image for a student network.

A teacher that sees the student's own pixels, mixed and covered ones included, gives each view its own target, so the
student cannot learn them by heart (Beyer et al. 2022, arXiv:2106.05237, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferserve.models.spec import HeadSpec
from training.emotion_lite.served_head import RAW_FERPLUS, SERVED
from training.errors import TrainingError
from training.evaluation.served_model import ServedModel
from training.models.emotion_stages import HEADS, IMAGE_SIZE, MEAN, STD

Floats = NDArray[np.float32]


class Teachers:
    """Exported ``emotion-lite`` files, INT8 for speed, each on one thread; there may be no teacher at all."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Raises :class:`ferserve.errors.FerserveError` if a file is no model with the student's input and heads."""
        self._models = [_open_teacher(file) for file in files]

    def __len__(self) -> int:
        return len(self._models)

    def answer(self, pixels: Floats) -> Floats:
        """(N, 17) probabilities, the teachers' mean, of (N, 48, 48, 1) normalised luma."""
        rows = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        answers = [np.concatenate(_network_answers(model, rows), axis=1) for model in self._models]
        return np.asarray(np.mean(answers, axis=0), np.float32)


def _network_heads(model: ServedModel) -> dict[str, HeadSpec]:
    """The heads that the network itself has; a released file's served head is made from them."""
    heads = {head.name: head for head in model.spec.heads}
    if RAW_FERPLUS in heads:
        heads[SERVED] = heads.pop(RAW_FERPLUS)
    return heads


def _network_answers(model: ServedModel, rows: Floats) -> list[Floats]:
    heads, answers = _network_heads(model), model.answers(rows)
    return [answers[model.spec.heads.index(heads[name])] for name in HEADS]


def _open_teacher(file: Path) -> ServedModel:
    model = ServedModel(file)
    heads = {name: len(head.labels) for name, head in _network_heads(model).items()}
    if heads != HEADS:
        raise TrainingError(f"{file}: a teacher's heads must be {HEADS}, got {heads}")
    given, wanted = model.spec.input, (1, IMAGE_SIZE, IMAGE_SIZE)
    pixels = (given.row_shape, given.mean, given.std)
    # It sees the student's pixels: at another scale its answers would be noise.
    if pixels != (wanted, (MEAN,), (STD,)):
        raise TrainingError(f"{file}: a teacher's input must be {wanted} with mean {MEAN}, std {STD}, got {pixels}")
    return model
