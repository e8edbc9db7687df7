"""From a weight file to a model that is warm and batched."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from ferserve.config import EngineConfig
from ferserve.errors import ConfigError
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.models.description import describe
from ferserve.models.spec import ModelSpec
from ferserve.models.store import ModelFile
from ferserve.runtime.auto import refusals
from ferserve.runtime.backends import open_session
from ferserve.runtime.base import Infer, Session, Tensor
from ferserve.runtime.batching import Batcher, Measurement, choose, measure
from ferserve.runtime.classifier import Classifier
from ferserve.runtime.run_counts import RunCounts
from ferserve.types import ModelDescription

log = logging.getLogger(__name__)

_BATCH_SIZES = (1, 4, 16)
_GPUS = ("cuda", "tensorrt", "tensorrt-native")
_HEAVY_BYTES = 32 << 20
"""Loading a file of this size takes long enough that whoever waits is told."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that is ready to run. It works as long as somebody holds it, even after the registry dropped it."""

    file: ModelFile
    classifier: Classifier
    infer: Infer
    """Probabilities (N, K) of every head for a batch (N, *row_shape), possibly in one run with the rows of other
    threads."""
    is_default: bool
    """True if it answers callers that name no model."""
    why_not_elsewhere: str = ""
    """Why ``auto`` took no better device."""

    @property
    def spec(self) -> ModelSpec:
        """What the weight file says about itself."""
        return self.file.spec

    @property
    def runs_on(self) -> str:
        """The runtime and provider that run the graph."""
        return ", ".join(filter(None, (self.classifier.session.runs_on, self.why_not_elsewhere)))

    @property
    def sha256(self) -> str:
        """Of the weight file, lower-case hex."""
        return self.file.sha256

    @cached_property
    def description(self) -> ModelDescription:
        """The model as its users see it."""
        return describe(self.file, runs_on=self.runs_on, is_default=self.is_default)


class ModelLoader:
    """Loads models as ``config`` says. Thread-safe."""

    def __init__(
        self, config: EngineConfig, threads: int, others_busy: Callable[[], bool], metrics: Metrics = NO_METRICS
    ) -> None:
        """``threads`` and ``others_busy`` are those of the workers, for batching; ``metrics`` counts runs."""
        self._metrics = metrics
        self._config, self._threads, self._others_busy = config, threads, others_busy
        self._runs: dict[tuple[str, str], RunCounts] = defaultdict(RunCounts)  # they outlive each loading

    def load(self, file: ModelFile, *, is_default: bool) -> LoadedModel:
        """Load, warm up and batch; raises :class:`ModelSpecError` or :class:`ConfigError`."""
        cache_dir = Path(self._config.cache_dir) if self._config.cache_dir else None
        size = file.path.stat().st_size
        level = logging.WARNING if size >= _HEAVY_BYTES else logging.INFO
        log.log(level, "loading %s, %.0f MB, and running it once", file.spec.name, size / 1e6)
        classifier = Classifier(open_session(file.path, self._config.device, cache_dir), file.spec)
        classifier.require_answer(self._config.max_first_run_s)  # it allocates, too: let no frame wait for that
        self._require_device(file, classifier.session)
        loaded = LoadedModel(file, classifier, self._batched(classifier), is_default, self._why_not_elsewhere())
        classifier.runs = self._runs[file.spec.name, file.spec.version]  # the warm-up answered nobody
        _ = loaded.description  # hashes the file now, not on a caller's event loop
        name, version = file.spec.name, file.spec.version
        self._metrics.model_loaded(name, version, runs_on=classifier.session.runs_on, sha256=loaded.sha256)
        classifier.on_run = partial(self._metrics.model_ran, name, version)  # from now on: measuring does not count
        return loaded

    def measure(self, classifier: Classifier, seconds: float) -> list[Measurement]:
        """Rows per second at several batch sizes, ``seconds`` each."""
        return measure(classifier.infer, _blank_row(classifier), _BATCH_SIZES, self._threads, seconds)

    def _require_device(self, file: ModelFile, session: Session) -> None:
        """Raise :class:`ConfigError` if the processor runs what a GPU was asked for."""
        if not (self._config.require_device or self._config.device in _GPUS):
            return
        got = session.runs_on if session.uses_cpu else _idle_gpu(session)
        if got:
            why_not = f" ({refusals()})" if refusals() else ""
            raise ConfigError(
                f"engine.device must run {file.spec.name} on a GPU, got {got}{why_not}; see docs/jetson.md, or choose "
                "cpu, or auto without engine.require_device"
            )

    def _why_not_elsewhere(self) -> str:
        return refusals() if self._config.device == "auto" else ""

    def _batched(self, classifier: Classifier) -> Infer:
        """The classifier's ``infer``, behind a batcher if batches pay on this machine."""
        config = self._config
        size = config.max_batch_size or choose(self.measure(classifier, seconds=0.03)).batch_size
        if size <= 1:
            return classifier.infer
        return Batcher(classifier.infer, size, config.max_queue_delay_us, config.max_queue, self._others_busy).infer


def _idle_gpu(session: Session) -> str:
    """What a session of a GPU runs on if the GPU has nothing to do in it, else an empty string."""
    placement = session.placement()
    log.info("%s: %s", session.runs_on, placement)
    return "" if placement.there else f"{session.runs_on}, which leaves all nodes to the CPU"


def _blank_row(classifier: Classifier) -> Tensor:
    return np.zeros_like(classifier.empty_batch(1))
