"""Folds for cross-fitting: a teacher never sees the rows of its fold, so it has not learnt them by heart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign_folds(images: NDArray[np.uint8], folds: int, seed: int = 1) -> NDArray[np.uint8]:
    """(N,) the fold of each of ``images`` (N, H, W), 0 to ``folds`` - 1; images with the same pixels share one.

    Folds are as even as the repeated images allow.
    """
    flat = np.ascontiguousarray(images.reshape(len(images), -1))
    _, same = np.unique(flat.view(f"V{flat.shape[1]}"), return_inverse=True)
    order = np.random.default_rng(seed).permutation(int(same.max(initial=-1)) + 1)
    return np.asarray(order[same.reshape(-1)] % folds, np.uint8)
