"""Numbers by label, carried over when a model gives way to another one."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def relabelled(
    values: NDArray[Any], former: tuple[str, ...], labels: tuple[str, ...]
) -> tuple[NDArray[Any], list[int]] | None:
    """``values`` (K,) in the order of ``labels``, and the former index of each; None if the labels are others."""
    if former == labels:
        return values, list(range(len(labels)))
    if sorted(former) != sorted(labels):
        return None
    order = [former.index(label) for label in labels]
    return values[order], order
