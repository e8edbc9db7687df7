"""The numbers of one process, in memory that the supervisor can read."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import reduction
from typing import Any

from ferserve.server.telemetry.catalogue import LAYOUT, MAX_MODELS, MODEL_LAYOUT

_MODEL_BYTES = 4096
_COUNT_AT = LAYOUT.size
_MODELS_AT = LAYOUT.size + 1
_TEXTS_AT = 8 * (_MODELS_AT + MAX_MODELS * MODEL_LAYOUT.size)
_SIZE = _TEXTS_AT + MAX_MODELS * _MODEL_BYTES
_LONGEST = 120
"""Characters of a label; four of them fit, whatever they are."""
_GAUGES = (*LAYOUT.of_kind("gauge"), *LAYOUT.of_kind("gauge", highest=True))


@dataclass(frozen=True)
class ModelLabels:
    """What tells one loaded model from another."""

    model: str
    version: str
    runs_on: str = ""
    sha256: str = ""


class Page:
    """64-bit floats at the places of :data:`LAYOUT`, and the models with theirs. Survives pickling into a new process.

    One process writes, others may read at any time and without its help, even if it hangs or has died: a number is
    written as a whole. The memory has no name in any file system, so that read-only ones will do.
    """

    def __init__(self) -> None:
        self._map(os.memfd_create("ferserve-metrics"))

    def _map(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.ftruncate(descriptor, _SIZE)
        memory = memoryview(mmap.mmap(descriptor, _SIZE))
        self.numbers = memory[:_TEXTS_AT].cast("d")
        self._texts = memory[_TEXTS_AT:]

    def __getstate__(self) -> Any:
        return reduction.DupFd(self._descriptor)

    def __setstate__(self, state: Any) -> None:
        self._map(state.detach())

    @staticmethod
    def model_at(index: int) -> int:
        """Place of the numbers of a model."""
        return _MODELS_AT + index * MODEL_LAYOUT.size

    def models(self) -> list[ModelLabels]:
        """The models that have numbers, in the order of their places."""
        count = int(self.numbers[_COUNT_AT])
        texts = (
            bytes(self._texts[at : at + _MODEL_BYTES]).rstrip(b"\0")
            for at in range(0, count * _MODEL_BYTES, _MODEL_BYTES)
        )
        return [ModelLabels(**json.loads(text)) for text in texts]

    def add_model(self, labels: ModelLabels) -> int:
        """Give a model numbers of its own, if there is room; returns its index."""
        models = self.models()
        index = len(models)
        if index == MAX_MODELS - 1:
            labels = ModelLabels("other", "")
        elif index == MAX_MODELS:
            return index - 1
        self._write(index, labels)
        self.numbers[_COUNT_AT] = index + 1
        return index

    def describe_model(self, index: int, labels: ModelLabels) -> None:
        """Say more of a model whose name and version are there already."""
        if self.models()[index].model == labels.model:
            self._write(index, labels)

    def _write(self, index: int, labels: ModelLabels) -> None:
        short = {key: value[:_LONGEST] for key, value in asdict(labels).items()}
        text = json.dumps(short, ensure_ascii=False).encode(errors="replace")
        self._texts[index * _MODEL_BYTES : (index + 1) * _MODEL_BYTES] = text.ljust(_MODEL_BYTES, b"\0")

    def clear_gauges(self) -> None:
        """Forget what the process had open: it has ended. What it counted stays, so that no counter falls."""
        for place in _GAUGES:
            self.numbers[place] = 0


def summed(pages: Sequence[Page]) -> list[float]:
    """The numbers of :data:`LAYOUT` over all processes."""
    numbers = [sum(page.numbers[place] for page in pages) for place in range(LAYOUT.size)]
    for place in LAYOUT.of_kind("gauge", highest=True):
        numbers[place] = max(page.numbers[place] for page in pages)
    return numbers
