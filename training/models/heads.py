"""Output layers: one softmax for each head, named after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def softmax_heads(features: Any, heads: Mapping[str, int]) -> Any:
    """Probabilities from ``features`` (N, F): a tensor (N, K) for one head, else a dict of them by head."""
    from keras import layers

    outputs = {head: layers.Dense(count, activation="softmax", name=head)(features) for head, count in heads.items()}
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))
