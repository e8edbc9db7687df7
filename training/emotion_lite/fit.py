"""Training loop: Nesterov SGD on a one-cycle schedule, averaged weights, crash-safe checkpoints."""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from training.common.checkpoint import require_finite
from training.common.local_sgd import ONE_PROCESS, ProcessGroup
from training.common.reseed import reseed
from training.emotion_lite.augment import FaceAugmentation, augment_batch, normalise
from training.emotion_lite.backend import fast_arithmetic, no_gradients, variable_arrays
from training.emotion_lite.teachers import Teachers
from training.errors import CheckpointError
from training.models.emotion_stages import HEADS, split_heads

Floats = NDArray[np.float32]
STATE_FILE = "state.npz"
Validation: TypeAlias = Callable[[keras.Model], dict[str, float]]
"""From a Keras model to figures by name."""


@dataclass(frozen=True)
class FitOptions:
    """Options of a run, besides data and network."""

    epochs: int = 40
    batch_size: int = 64
    """Per process."""
    peak_rate: float = 0.08
    warmup: float = 0.08
    """Share of the steps over which the rate rises."""
    weight_decay: float = 5e-3
    """Per step, times the rate (decoupled: Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    ema: float = 0.997
    """Decay per step of the averaged weights (Polyak & Juditsky 1992), which are exported."""
    head_weights: tuple[float, ...] = (1.0, 1.0, 0.2)
    """Loss weights in the order of the heads."""
    augmentation: FaceAugmentation = field(default_factory=FaceAugmentation)
    teachers: tuple[Path, ...] = ()
    """Exported networks that label every augmented image."""
    taught: float = 0.0
    """Share of each target that comes from the teachers."""
    meet_every: int = 16
    """Steps between two averages over the processes, each followed by an update of the averaged weights."""
    validate_every: int = 1
    """Epochs between validations."""
    seed: int = 1


def head_loss(weights: tuple[float, ...]) -> Callable[[Any, Any], Any]:
    """Weighted sum of the heads' cross-entropies between (N, 17) distributions and logits."""

    def loss(targets: Any, logits: Any) -> Any:
        wanted, given = split_heads(targets), split_heads(ops.cast(logits, "float32"))
        terms = [
            weight * -ops.sum(wanted[name] * ops.log_softmax(given[name], axis=-1), axis=-1)
            for name, weight in zip(HEADS, weights, strict=True)
        ]
        return sum(terms[1:], terms[0])

    return loss


def learning_rate(step: int, steps: int, options: FitOptions) -> float:
    """Linear warm-up, then half a cosine down to zero (Loshchilov & Hutter 2017, arXiv:1608.03983)."""
    warm = max(1, int(steps * options.warmup))
    if step < warm:
        return options.peak_rate * (step + 1) / warm
    return options.peak_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def teach(targets: Floats, answers: Floats, taught: float) -> Floats:
    """(N, 17) targets: a share ``taught`` comes from the teachers' ``answers``, and so does every missing label.

    A row without labels is zero; mixed with a labelled row, it sums to less than 1 per head.
    """
    kept = (1 - taught) * targets
    missing = 1 - kept.sum(axis=1, keepdims=True) / len(HEADS)
    return np.asarray(kept + missing * answers, np.float32)


def batches(
    images: NDArray[np.uint8], targets: Floats, epoch: int, options: FitOptions, group: ProcessGroup = ONE_PROCESS,
    teachers: Teachers | None = None,
) -> Iterator[tuple[Floats, Floats]]:  # fmt: skip
    """A process's share of one epoch in augmented batches, prefetched by a thread; seeded by run and epoch.

    Every process gets the same number of whole batches; rows left over come up in other epochs.
    """
    order = np.random.default_rng((options.seed, epoch)).permutation(len(images))
    order = order[group.rank : len(order) - len(order) % (options.batch_size * group.size) : group.size]
    rng = np.random.default_rng((options.seed, epoch, group.rank))
    ready: queue.Queue[tuple[Floats, Floats] | BaseException | None] = queue.Queue(maxsize=8)

    def produce() -> None:
        try:
            for start in range(0, len(order), options.batch_size):
                rows = order[start : start + options.batch_size]
                x, y = augment_batch(images[rows], targets[rows], options.augmentation, rng)
                if teachers:
                    y = teach(y, teachers.answer(x), options.taught)
                ready.put((x, y))
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    threading.Thread(target=produce, daemon=True).start()
    while (item := ready.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item


class Trainer:
    """One run: a model, its averaged weights, and the folder of its state."""

    def __init__(
        self, model: keras.Model, out: Path, options: FitOptions, group: ProcessGroup = ONE_PROCESS, rows: str = ""
    ) -> None:
        """``rows`` is a digest of the training rows; if empty, a state of any rows may be resumed."""
        self.model, self.out, self.options, self.group, self.rows = model, out, options, group, rows
        self.teachers = Teachers(options.teachers)
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        optimizer = keras.optimizers.SGD(
            0.0, momentum=0.9, nesterov=True, weight_decay=options.weight_decay, global_clipnorm=10.0
        )
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        model.compile(optimizer, head_loss(options.head_weights), jit_compile=False)
        self.average = variable_arrays(model.weights)
        out.mkdir(parents=True, exist_ok=True)

    def run(
        self, images: NDArray[np.uint8], targets: Floats, validate: Callable[[keras.Model], dict[str, float]]
    ) -> None:
        """Train up to ``options.epochs``; ``validate`` measures the averaged weights after an epoch."""
        while self.epoch < self.options.epochs:
            began = time.monotonic()
            record = {"epoch": self.epoch + 1, "loss": self._train_epoch(images, targets)}
            require_finite("loss", record["loss"], self.epoch)
            self.epoch += 1
            if self.group.rank:
                continue
            if self.epoch % self.options.validate_every == 0 or self.epoch == self.options.epochs:
                record |= self.validate_average(validate)
            record["seconds"] = time.monotonic() - began
            self.history.append(record)
            print(json.dumps({k: round(v, 4) for k, v in record.items()}), flush=True)
            self.save()

    def _train_epoch(self, images: NDArray[np.uint8], targets: Floats) -> float:
        """One pass over this process's rows; returns the mean loss."""
        steps_an_epoch = len(images) // (self.options.batch_size * self.group.size)
        steps = steps_an_epoch * self.options.epochs
        losses = []
        reseed(self.model, self.options.seed, self.epoch, self.group.rank)
        for i, (x, y) in enumerate(batches(images, targets, self.epoch, self.options, self.group, self.teachers)):
            step = self.epoch * steps_an_epoch + i
            self.model.optimizer.learning_rate = learning_rate(step, steps, self.options)
            with fast_arithmetic():
                losses.append(float(self.model.train_on_batch(x, y)))
            if (step + 1) % self.options.meet_every == 0:
                self._meet(step)
        return float(np.mean(losses))

    def _meet(self, step: int) -> None:
        """Average weights and momenta over the group, then update the averaged weights.

        Those follow faster early on, so that they forget the start.
        """
        weights = variable_arrays(self.model.weights)
        if self.group.size > 1:
            momenta = self.model.optimizer.variables[2:]
            met = self.group.average([*weights, *variable_arrays(momenta)])
            weights = met[: len(weights)]
            self.model.set_weights(weights)
            for variable, value in zip(momenta, met[len(weights) :], strict=True):
                variable.assign(value)
        decay = min(self.options.ema, (1 + step) / (10 + step)) ** self.options.meet_every
        for mean, now in zip(self.average, weights, strict=True):
            mean *= decay
            mean += (1 - decay) * now

    def validate_average(self, validate: Validation) -> dict[str, float]:
        """Validate the averaged weights; the model keeps its own."""
        own = variable_arrays(self.model.weights)
        self.model.set_weights(self.average)
        try:
            return validate(self.model)
        finally:
            self.model.set_weights(own)

    def save(self) -> None:
        """Write the state, atomically."""
        state: dict[str, Any] = {f"w{i}": w for i, w in enumerate(variable_arrays(self.model.weights))}
        state |= {f"a{i}": w for i, w in enumerate(self.average)}
        state |= {f"o{i}": v for i, v in enumerate(variable_arrays(self.model.optimizer.variables))}
        partial = self.out / "state.partial.npz"
        np.savez(partial, meta=json.dumps({"epoch": self.epoch, "history": self.history, "rows": self.rows}), **state)
        os.replace(partial, self.out / STATE_FILE)

    def resume(self) -> bool:
        """Load the last saved state; False if there is no state.

        Raises :class:`CheckpointError` for a state that is damaged, of another network, or of other rows.
        """
        path = self.out / STATE_FILE
        if not path.exists():
            return False
        try:
            with path.open("rb") as raw, np.load(raw) as state:
                meta = json.loads(str(state["meta"]))
                self._require_same_rows(path, meta.get("rows"))
                self._take(state)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{path}: state must be a whole one of this network, got {error}") from None
        self.epoch, self.history = meta["epoch"], meta["history"]
        return True

    def _require_same_rows(self, path: Path, rows: str | None) -> None:
        # States of earlier versions hold no digest.
        if rows and self.rows and rows != self.rows:
            raise CheckpointError(
                f"{path}: data, limit and faces must be those of the run to resume, got other images or targets; "
                "choose another --out, or leave --resume out"
            )

    def _take(self, state: Mapping[str, Any]) -> None:
        count = len(self.average)
        self.model.set_weights([state[f"w{i}"] for i in range(count)])
        self.average = [state[f"a{i}"] for i in range(count)]
        self.model.optimizer.build(self.model.trainable_variables)
        for i, variable in enumerate(self.model.optimizer.variables):
            variable.assign(state[f"o{i}"])


def read_average(folder: Path) -> list[Floats]:
    """The averaged weights of the run in ``folder``, in the order of the model's variables."""
    with np.load(folder / STATE_FILE) as state:
        return [state[f"a{i}"] for i in range(sum(name.startswith("a") for name in state.files))]


def read_history(folder: Path) -> list[dict[str, float]]:
    """Figures of each epoch of the run in ``folder``, from its saved state."""
    with np.load(folder / STATE_FILE) as state:
        history: list[dict[str, float]] = json.loads(str(state["meta"]))["history"]
    return history


def predict_logits(
    model: keras.Model, images: NDArray[np.uint8], flip: bool = False, exact: bool = False, batch_size: int = 256
) -> Floats:
    """(N, 17) logits of (N, 48, 48) luma; with ``flip`` the mean of both mirror images, ``exact`` in float32."""
    rows = []
    for start in range(0, len(images), batch_size):
        chunk = images[start : start + batch_size]
        views = [chunk, chunk[:, :, ::-1]] if flip else [chunk]
        with contextlib.nullcontext() if exact else fast_arithmetic(), no_gradients():
            parts = [ops.convert_to_numpy(ops.cast(model(normalise(v), training=False), "float32")) for v in views]
        rows.append(np.mean(parts, axis=0))
    return np.concatenate(rows)
