"""A model file as serving runs it: its own spec, the serving preprocessing, ONNX Runtime."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ModelSpecError
from ferserve.labels import LABEL_SETS
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
        return self._classifier.infer_now(rows)

    def head(self, label_set: str) -> HeadSpec:
        """The head whose labels, without reserved ones, are those of ``label_set`` in any order."""
        wanted = set(LABEL_SETS[label_set])
        for head in self.spec.heads:
            if set(head.labels) - set(head.reserved) == wanted:
                return head
        have = "; ".join(f"{head.name} ({', '.join(head.labels)})" for head in self.spec.heads)
        raise TrainingError(f"{self.path}: heads must hold one with the labels of {label_set}, got {have}")

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
        answers = self.answers(rows)[self.spec.heads.index(head)]
        kept = answers[:, [k for k, label in enumerate(head.labels) if label not in head.reserved]]
        return np.asarray(kept / kept.sum(axis=1, keepdims=True), np.float32)

    def in_order(self, rows: NDArray[Any], label_set: str) -> Floats:
        """(N, K) probabilities of the head for ``label_set``, whose order of labels they have."""
        head = self.head(label_set)
        labels = [label for label in head.labels if label not in head.reserved]
        return self.probabilities(rows, head)[:, [labels.index(label) for label in LABEL_SETS[label_set]]]

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
