"""Trains one task's network on the device, and measures it on PublicTest."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from training.emotion_lite.gpu.budget import Progress
from training.emotion_lite.gpu.disturb import Disturbance, disturb, normalise
from training.emotion_lite.gpu.gpu_plan import DECAY, Plan, Task
from training.emotion_lite.gpu.packing import UNNAMED, Packed
from training.emotion_lite.gpu.steps import Descent, Recorded
from training.errors import TrainingError
from training.models.emotion_stages import HEADS, split_heads

WARM, KEEP, LOOK_EVERY = 0.05, 0.998, 10
"""Share of a task over which the rate rises; decay per step of averaged weights; steps between looks at the clock."""
HEAD_WEIGHTS = (1.0, 1.0, 0.2)


@dataclass(frozen=True)
class Rows:
    """What a task learns from, on the device; a batch takes equally many rows of each of the ``pools``."""

    images: Any
    targets: Any
    pools: tuple[Any, ...]


def device_of(name: str = "") -> Any:
    """The device ``name``; by default the first GPU, or the CPU if there is none."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def layout(device: Any) -> Any:
    """Channels last for tensor cores; torch's CPU kernels crash on it in the backward pass of a one-channel image."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def fast(device: Any) -> contextlib.AbstractContextManager[Any]:
    """bfloat16 for convolutions and products; nothing is cached, as recording asks."""
    context: contextlib.AbstractContextManager[Any] = torch.autocast(
        device.type, torch.bfloat16, enabled=device.type == "cuda", cache_enabled=False
    )
    return context


def rate_at(share: float, peak: float) -> float:
    """Linear rise, then half a cosine down to zero (Loshchilov & Hutter 2017, arXiv:1608.03983)."""
    if share < WARM:
        return peak * (share + 1e-3) / WARM
    return peak * 0.5 * (1 + math.cos(math.pi * (share - WARM) / (1 - WARM)))


def train(
    model: nn.Module, task: Task, rows: Rows, plan: Plan, progress: Progress, answer: Callable[[Any], Any] | None
) -> nn.Module:
    """Train ``model`` until ``progress`` ends; returns the network of averaged weights.

    ``answer`` gives (N, 17) probabilities of the teachers for an augmented batch, whose rows come pool by pool. Raises
    :class:`training.errors.TrainingError` if the loss is no finite number.
    """
    descent = Descent(model.train(), DECAY)
    device = rows.images.device
    per_pool = max(1, task.batch // len(rows.pools))
    chosen = torch.zeros(per_pool * len(rows.pools), dtype=torch.long, device=device)
    peak = plan.teacher_rate if task.kind == "teacher" else plan.student_rate

    def loss_of_batch() -> Callable[[], Any]:
        x, y = disturb(rows.images[chosen], rows.targets[chosen], Disturbance(), len(rows.pools))
        x = x.contiguous(memory_format=layout(device))
        if answer is not None:
            y = taught(y, answer(x), plan.taught)

        def loss() -> Any:
            with fast(device):
                return head_loss(model(x), y)

        return loss

    plain = Recorded(lambda: descent.step(loss_of_batch(), sharp=False), device)
    sharp = Recorded(lambda: descent.step(loss_of_batch(), sharp=True), device)
    value, share = torch.zeros((), device=device), 0.0
    look_every = max(1, min(LOOK_EVERY, progress.steps // 20))
    for number, batch in enumerate(_batches(rows.pools, per_pool)):
        if number % look_every == 0 or number >= progress.steps:
            _require_finite(float(value), number)  # waits for the device, so that the clock tells the truth
            share = progress.share(number)
            if share >= 1:
                break
        chosen.copy_(batch)
        share = max(share, number / progress.steps)
        descent.rate.fill_(rate_at(share, peak))
        descent.keep.fill_(min(KEEP, (1 + number) / (10 + number)))
        value = (sharp if task.kind != "teacher" and share >= 1 - plan.sharp else plain)()
    return descent.average


def _require_finite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"loss must be a finite number, got {loss} at step {step}: the training diverged; finished tasks are "
            "whole; start again with another --seed"
        )


def _batches(pools: tuple[Any, ...], per_pool: int) -> Iterator[Any]:
    """Row numbers without end, each pool in an order that is drawn anew once it is used up."""
    orders = [_endless(pool, per_pool) for pool in pools]
    while True:
        yield torch.cat([next(order) for order in orders])


def _endless(pool: Any, count: int) -> Iterator[Any]:
    count_of_pool = len(pool)
    while True:
        order = pool[torch.randperm(count_of_pool, device=pool.device)]
        if count_of_pool < count:
            order = order.repeat(-(-count // count_of_pool))
        for start in range(0, len(order) - count + 1, count):
            yield order[start : start + count]


def head_loss(logits: Any, targets: Any) -> Any:
    """Weighted sum of the heads' cross-entropies, mean over the rows."""
    given, wanted = split_heads(logits.float()), split_heads(targets)
    terms = [
        -weight * (wanted[name] * torch.log_softmax(given[name], dim=-1)).sum(dim=-1)
        for name, weight in zip(HEADS, HEAD_WEIGHTS, strict=True)
    ]
    return sum(terms[1:], terms[0]).mean()


def taught(targets: Any, answers: Any, share: float) -> Any:
    """A share of each target from ``answers``, and all that is missing of a row without labels."""
    kept = (1 - share) * targets
    missing = 1 - kept.sum(dim=1, keepdim=True) / len(HEADS)
    return kept + missing * answers


def probabilities(logits: Any) -> Any:
    """(N, 17): softmax of each head."""
    return torch.cat([torch.softmax(part.float(), dim=-1) for part in split_heads(logits).values()], dim=1)


def answer_views(model: nn.Module, x: Any, views: int) -> Any:
    """(N, 17) probabilities, the mean over so many views of ``x``: as it is, mirrored, then shifted by a pixel."""
    shown = [x, torch.flip(x, dims=(3,)), *(torch.roll(x, s, dims=d) for d in (2, 3) for s in (1, -1))][:views]
    with torch.no_grad(), fast(x.device):
        told = model(torch.cat(shown).contiguous(memory_format=layout(x.device)))
        return probabilities(told).reshape(len(shown), len(x), -1).mean(dim=0)


def answer_images(model: nn.Module, images: Any, batch: int = 512) -> Any:
    """(M, 17) probabilities for uint8 (M, 48, 48), without augmentation."""
    model.eval()
    return torch.cat([answer_views(model, normalise(images[i : i + batch]), 1) for i in range(0, len(images), batch)])


def figures(answers: Any, packed: Packed) -> dict[str, float]:
    """Accuracy of (M, 17) answers on PublicTest by label set."""
    told = {name: part.argmax(dim=1).cpu().numpy() for name, part in split_heads(answers).items()}
    named = packed.test_majority != UNNAMED
    right = told["emotion"] == packed.test_majority
    return {
        "fer2013": float(np.mean(told["emotion_fer2013"] == packed.test_labels)),
        "ferplus": float(np.mean(right[named])) if named.any() else math.nan,
    }
