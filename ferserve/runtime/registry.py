"""The loaded models: loads, warms up and batches them, hands them out, and drops them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ferserve.config import EngineConfig
from ferserve.models.description import describe
from ferserve.models.spec import ModelSpec
from ferserve.models.store import ModelFile, open_model_file
from ferserve.runtime.backends import open_session
from ferserve.runtime.base import Tensor
from ferserve.runtime.batching import Batcher, Measurement, choose, measure
from ferserve.runtime.classifier import Classifier
from ferserve.runtime.default_model import open_store
from ferserve.types import ModelDescription

_BATCH_SIZES = (1, 4, 16)


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that is ready to run. It works as long as somebody holds it, even after the registry dropped it."""

    file: ModelFile
    classifier: Classifier
    is_default: bool
    """True if it answers callers that name no model."""

    @property
    def spec(self) -> ModelSpec:
        """What the weight file says about itself."""
        return self.file.spec

    @property
    def runs_on(self) -> str:
        """The runtime and provider that run the graph."""
        return self.classifier.session.runs_on

    @property
    def sha256(self) -> str:
        """Of the weight file, lower-case hex."""
        return self.file.sha256

    @cached_property
    def description(self) -> ModelDescription:
        """The model as its users see it."""
        return describe(self.file, runs_on=self.runs_on, is_default=self.is_default)


class ModelRegistry:
    """Models by name. Callers hold a :class:`LoadedModel`, so a running stream never asks the registry again.

    Thread-safe. Loading one model does not keep others from being handed out.
    """

    def __init__(self, config: EngineConfig, threads: int, others_busy: Callable[[], bool]) -> None:
        """Find the models and load the default one.

        ``threads`` and ``others_busy`` are those of the workers, for batching. Raises :class:`ModelNotFoundError`,
        :class:`ModelSpecError` or :class:`ConfigError`.
        """
        self._config, self._threads, self._others_busy = config, threads, others_busy
        self._store, default = open_store(config)
        self._default_name = default.spec.name
        self._loaded: dict[str, LoadedModel] = {}
        self._loading = threading.Lock()
        self.get("")

    def models(self) -> list[ModelDescription]:
        """Every model that can be asked for, by name."""
        return [self.describe(file.spec.name) for file in self._store.models()]

    def describe(self, name: str) -> ModelDescription:
        """One model, the default one for an empty name, loaded or not; raises :class:`ModelNotFoundError`."""
        name = name or self._default_name
        if (loaded := self._loaded.get(name)) is not None:
            return loaded.description
        return describe(self._store.get(name), runs_on="", is_default=name == self._default_name)

    def is_loaded(self, name: str) -> bool:
        """True if :meth:`get` answers without loading a file."""
        return (name or self._default_name) in self._loaded

    def get(self, name: str) -> LoadedModel:
        """The model of that name, the default one for an empty name; the first call loads it.

        Raises :class:`ModelNotFoundError`, :class:`ModelSpecError` or :class:`ConfigError`.
        """
        name = name or self._default_name
        if (loaded := self._loaded.get(name)) is not None:
            return loaded
        file = self._store.get(name)
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._load(file)
            return self._loaded[name]

    def replace(self, path: Path) -> LoadedModel:
        """Load the model file at ``path`` and hand it out from now on in place of a model of its name, if any.

        The former one answers new callers until the new one is ready, and its holders as long as they hold it. If the
        new one cannot be loaded, nothing changes. Raises as :meth:`get` does.
        """
        with self._loading:
            loaded = self._load(open_model_file(path))
            self._store.add(path)
            self._loaded[loaded.spec.name] = loaded
            return loaded

    def drop(self, name: str) -> None:
        """Forget a loaded model; its memory is free once nobody holds it, and the next :meth:`get` loads it again."""
        with self._loading:
            self._loaded.pop(name or self._default_name, None)

    def tune(self, seconds: float) -> tuple[list[Measurement], Measurement]:
        """Measure the default model at several batch sizes, ``seconds`` each: the table, and the choice from it."""
        table = self._measure(self.get("").classifier, seconds)
        return table, choose(table)

    def _load(self, file: ModelFile) -> LoadedModel:
        cache_dir = Path(self._config.cache_dir) if self._config.cache_dir else None
        classifier = Classifier(open_session(file.path, self._config.device, cache_dir), file.spec)
        classifier.require_answer(self._config.max_first_run_s)  # it allocates, too: let no frame wait for that
        self._batch(classifier)
        loaded = LoadedModel(file, classifier, is_default=file.spec.name == self._default_name)
        _ = loaded.description  # hashes the file now, not on a caller's event loop
        return loaded

    def _batch(self, classifier: Classifier) -> None:
        """Put a batcher before the model if batches pay on this machine."""
        config = self._config
        size = config.max_batch_size or choose(self._measure(classifier, seconds=0.03)).batch_size
        if size > 1:
            delay_us, max_waiting = config.max_queue_delay_us, config.max_queue
            classifier.use_batcher(Batcher(classifier.infer_now, size, delay_us, max_waiting, self._others_busy).infer)

    def _measure(self, classifier: Classifier, seconds: float) -> list[Measurement]:
        return measure(classifier.infer_now, _blank_row(classifier), _BATCH_SIZES, self._threads, seconds)


def _blank_row(classifier: Classifier) -> Tensor:
    return np.zeros_like(classifier.empty_batch(1))
