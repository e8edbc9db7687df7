"""A model file as serving runs it: its own spec, the serving preprocessing, ONNX Runtime."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ModelSpecError
from ferserve.labels import FER2013_NAME, LABEL_SETS
from ferserve.models.spec import HeadSpec, ModelSpec
from ferserve.runtime import open_session
from ferserve.runtime.classifier import Classifier
from ferserve.vision.preprocess import preprocess_batch_into
from training.common.export import read_spec
from training.errors import TrainingError

Floats = NDArray[np.float32]


class ServedModel:
    """An ONNX file with a :class:`ModelSpec` inside, on one thread."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`ferserve.errors.FerserveError` if the file cannot be loaded or its spec does not fit."""
        self.path = path
        self.spec: ModelSpec = read_spec(path)
        try:
            self._classifier = Classifier(open_session(path), self.spec)
        except ModelSpecError as error:
            raise ModelSpecError(f"{path}: {error}") from None

    def answers(self, rows: NDArray[Any]) -> list[Floats]:
        """(N, K) probabilities per head for input rows, in the order of ``spec.heads``, reserved labels included."""
        return self._classifier.infer(rows)

    def head(self, name: str) -> HeadSpec:
        """The head of that name, or the first whose labels, reserved ones aside, are those of the label set ``name``.

        Raises :class:`TrainingError`.
        """
        wanted = set(LABEL_SETS.get(name, ()))
        for fits in (lambda h: h.name == name, lambda h: wanted and set(_told(h)) == wanted):
            for head in self.spec.heads:
                if fits(head):
                    return head
        have = "; ".join(f"{head.name} ({', '.join(head.labels)})" for head in self.spec.heads)
        wish = f"one with the labels of {name}" if wanted else f"one named {name!r}"
        raise TrainingError(f"{self.path}: heads must hold {wish}, got {have}")

    def rows(self, images: NDArray[np.uint8], boxes: Floats | None = None) -> NDArray[Any]:
        """Input rows of (N, H, W) luma through ``ferserve.vision.preprocess``.

        ``boxes`` float32 (N, 4) stand for a detector's and get the spec's margin; without them each image is
        a crop already, and fills the input as it is.
        """
        count, height, width = images.shape
        if boxes is None:
            # A box that becomes the whole image once the margin is added.
            m = self.spec.input.margin
            side = max(height, width) / (1 + 2 * m) * m
            boxes = np.tile(np.array([side, side, width - side, height - side], np.float32), (count, 1))
        out = np.empty((count, *self.spec.input.row_shape), self.spec.input.dtype)
        preprocess_batch_into(list(images), "luma", list(boxes[:, None]), self.spec.input, out)
        return out

    def probabilities(self, rows: NDArray[Any], head: HeadSpec) -> Floats:
        """(N, K) probabilities of one head for input rows, without its reserved labels, each row summing to 1."""
        return _without_reserved(self.answers(rows)[self.spec.heads.index(head)], head)

    def in_order(self, rows: NDArray[Any], name: str, label_set: str | None = None) -> Floats:
        """(N, K) probabilities of the head ``name``, in the order of :func:`judged_labels`."""
        head = self.head(name)
        return self.ordered(self.answers(rows)[self.spec.heads.index(head)], head, label_set or label_set_of(head))

    def ordered(self, answers: Floats, head: HeadSpec, label_set: str) -> Floats:
        """``answers`` (N, K) of ``head``, reserved labels included, in the order of :func:`judged_labels`."""
        labels = _told(head)
        theirs = {FER2013_NAME.get(label, label): label for label in labels} if label_set == "fer2013" else {}
        wanted = judged_labels(head, label_set)
        order = [labels.index(label if label in labels else theirs[label]) for label in wanted]
        return _without_reserved(answers, head)[:, order]

    def images_per_second(self, row: NDArray[Any], seconds: float = 2.0) -> float:
        """Speed at batch 1 on one thread: the fastest of many short bursts, which other work disturbs least."""
        session, feed = self._classifier.session, {self.spec.input.name: row[:1]}
        for _ in range(20):
            session.run(feed)
        bursts: list[float] = []
        end = time.perf_counter() + seconds
        while not bursts or time.perf_counter() < end:
            began = time.perf_counter()
            for _ in range(20):
                session.run(feed)
            bursts.append((time.perf_counter() - began) / 20)
        return 1 / min(bursts)


def _told(head: HeadSpec) -> list[str]:
    return [label for label in head.labels if label not in head.reserved]


def _without_reserved(answers: Floats, head: HeadSpec) -> Floats:
    kept = answers[:, [k for k, label in enumerate(head.labels) if label not in head.reserved]]
    return np.asarray(kept / kept.sum(axis=1, keepdims=True), np.float32)


def label_set_of(head: HeadSpec) -> str:
    """The name of the label set that a head tells; raises :class:`TrainingError` if it is none that is known."""
    for name, labels in LABEL_SETS.items():
        if set(_told(head)) == set(labels):
            return name
    raise TrainingError(f"{head.name}: labels must be those of {' or '.join(LABEL_SETS)}, got {', '.join(head.labels)}")


def judged_labels(head: HeadSpec, label_set: str) -> tuple[str, ...]:
    """The labels of ``label_set`` in order, and behind them those of ``head`` that have no counterpart there.

    A head of FER+ may be judged by FER2013's labels; contempt, which they lack, is then always wrong. Raises
    :class:`TrainingError` if the head cannot tell every label of the set.
    """
    wanted, own = LABEL_SETS[label_set], label_set_of(head)
    if own == label_set:
        return wanted
    if (own, label_set) != ("ferplus", "fer2013"):
        raise TrainingError(f"labels must be {own} for the head {head.name}, got {label_set}")
    return (*wanted, *(label for label in _told(head) if label not in FER2013_NAME))
