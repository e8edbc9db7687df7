"""Finished networks that answer for every augmented image which a younger one learns from.

A teacher that looks at the very pixels its student sees, mixed and covered ones too, says something new about each
view, so that the student has nothing to learn by heart (Beyer et al. 2022, arXiv:2106.05237, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from training.models.emotion_lite import HEADS

Floats = NDArray[np.float32]


class Teachers:
    """Exported ``emotion-lite`` files, INT8 for speed, each on one thread; none of them is a valid number too."""

    def __init__(self, files: Sequence[Path]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._sessions = [
            onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"]) for file in files
        ]

    def __len__(self) -> int:
        return len(self._sessions)

    def answer(self, pixels: Floats) -> Floats:
        """(N, 17) probabilities, the teachers' mean, of (N, 48, 48, 1) normalised luma."""
        feed = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        answers = [
            np.concatenate(session.run(list(HEADS), {session.get_inputs()[0].name: feed}), axis=1)
            for session in self._sessions
        ]
        return np.asarray(np.mean(answers, axis=0), np.float32)
