"""From a weight file to a model that is warm and batched."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ferserve.config import Device, EngineConfig
from ferserve.errors import ConfigError
from ferserve.meters.gpu import find_meters
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.models.settings import NO_SETTINGS, ModelSettings
from ferserve.models.spec import ModelSpec
from ferserve.models.store import ModelFile
from ferserve.runtime.auto import refusals
from ferserve.runtime.backends import open_session
from ferserve.runtime.base import Infer, Session, Tensor, trial_feeds
from ferserve.runtime.batching import Batcher, Measurement, at_once, choose, measure
from ferserve.runtime.classifier import Classifier
from ferserve.runtime.gpu_burst import idle_in_burst
from ferserve.runtime.run_counts import RunCounts

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
    batch_size: int
    """Most rows of different frames in one run."""
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


class ModelLoader:
    """Loads models as ``config`` says. Thread-safe."""

    def __init__(
        self, config: EngineConfig, threads: int, others_busy: Callable[[], bool], metrics: Metrics = NO_METRICS
    ) -> None:
        """``threads`` and ``others_busy`` are those of the workers, for batching; ``metrics`` counts runs."""
        self._metrics = metrics
        self._config, self._threads, self._others_busy = config, threads, others_busy
        self._gpu_was_seen = False
        self._runs: dict[tuple[str, str], RunCounts] = defaultdict(RunCounts)  # they outlive each loading

    def load(
        self, file: ModelFile, settings: ModelSettings = NO_SETTINGS, former: LoadedModel | None = None
    ) -> LoadedModel:
        """Load, warm up and batch; one that takes the place of a ``former`` one is batched as it was.

        Measuring takes processors, which streams need meanwhile. Raises :class:`ModelSpecError` or
        :class:`ConfigError`.
        """
        cache_dir = Path(self._config.cache_dir) if self._config.cache_dir else None
        device = settings.device or self._config.device
        weight = file.path.stat().st_size
        level = logging.WARNING if weight >= _HEAVY_BYTES else logging.INFO
        log.log(level, "loading %s, %.0f MB, and running it once", file.spec.name, weight / 1e6)
        classifier = Classifier(open_session(file.path, device, cache_dir), file.spec)
        classifier.require_answer(self._config.max_first_run_s)  # it allocates, too: let no frame wait for that
        self._require_device(file, classifier.session, device)
        size, elsewhere = self._batch_size(classifier, settings, former), refusals() if device == "auto" else ""
        loaded = LoadedModel(file, classifier, self._batched(classifier, settings, size), size, elsewhere)
        classifier.runs = self._runs[file.spec.name, file.spec.version]  # the warm-up answered nobody
        name, version = file.spec.name, file.spec.version
        # The digest is read now, not on a caller's event loop.
        self._metrics.model_loaded(name, version, runs_on=classifier.session.runs_on, sha256=loaded.sha256)
        classifier.on_run = partial(self._metrics.model_ran, name, version)  # from now on: measuring does not count
        return loaded

    def measure(self, classifier: Classifier, seconds: float, sizes: Sequence[int] = _BATCH_SIZES) -> list[Measurement]:
        """Rows per second at several batch sizes, ``seconds`` each."""
        return measure(classifier.infer, _blank_row(classifier), sizes, self._threads, seconds)

    def _require_device(self, file: ModelFile, session: Session, device: Device) -> None:
        """Raise :class:`ConfigError` if the processor runs what a GPU was asked for."""
        if device not in _GPUS and (device == "cpu" or not self._config.require_device):
            return
        got = session.runs_on if session.uses_cpu else self._idle_gpu(session)
        if got:
            why_not = f" ({refusals()})" if refusals() else ""
            raise ConfigError(
                f"engine.device must run {file.spec.name} on a GPU, got {got}{why_not}; see docs/jetson.md, or choose "
                "cpu, or auto without engine.require_device"
            )

    def _idle_gpu(self, session: Session) -> str:
        """What a session of a GPU runs on if the GPU has nothing to do in it, else an empty string."""
        placement = session.placement()
        log.info("%s: %s", session.runs_on, placement)
        if not placement.there:
            return f"{session.runs_on}, which leaves all nodes to the CPU"
        if self._gpu_was_seen:  # once per process: it costs up to a second
            return ""
        feeds = trial_feeds(session.inputs)
        idle = idle_in_burst(lambda: session.run(feeds), find_meters())
        self._gpu_was_seen = not idle
        return f"{session.runs_on}, but {idle}" if idle else ""

    def _batch_size(self, classifier: Classifier, settings: ModelSettings, former: LoadedModel | None) -> int:
        chosen = self._config.max_batch_size if settings.max_batch_size is None else settings.max_batch_size
        if chosen:
            return chosen
        if former:
            return former.batch_size
        most = classifier.max_rows_per_run
        sizes = [size for size in _BATCH_SIZES if size <= most or not most]  # larger ones run in parts
        return choose(self.measure(classifier, 0.03, sizes)).batch_size if len(sizes) > 1 else 1

    def _batched(self, classifier: Classifier, settings: ModelSettings, size: int) -> Infer:
        """The classifier's ``infer``, behind a limit of runs at once and a batcher if ``size`` is above 1."""
        infer = at_once(classifier.infer, settings.instances) if settings.instances else classifier.infer
        if size <= 1:
            return infer
        delay_us = (
            self._config.max_queue_delay_us if settings.max_queue_delay_us is None else settings.max_queue_delay_us
        )
        return Batcher(infer, size, delay_us, self._config.max_queue, self._others_busy).infer


def _blank_row(classifier: Classifier) -> Tensor:
    return np.zeros_like(classifier.empty_batch(1))
