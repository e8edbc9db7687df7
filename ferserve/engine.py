"""Owns models, detectors and threads: what every door calls. Knows nothing of the network."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from ferserve.config import EngineConfig
from ferserve.detection.factory import open_detector
from ferserve.errors import InvalidOptionsError, ModelNotReadyError
from ferserve.models.description import describe
from ferserve.models.store import ModelFile
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.pipeline import Pipeline, Settings, square_crops
from ferserve.runtime import Session, Tensor, open_session
from ferserve.runtime.batching import Batcher, Measurement, choose, measure
from ferserve.runtime.classifier import Classifier
from ferserve.runtime.default_model import open_store
from ferserve.scheduling.pending import Walk
from ferserve.scheduling.pool import WorkerPool
from ferserve.scheduling.resumable import Parked, ParkedStreams
from ferserve.scheduling.stream import Backlog, EngineStream, submit_single
from ferserve.tracking.state import StateSettings, StreamState
from ferserve.types import Frame, FrameResult, ModelDescription, PixelFormat, RawImage

_BATCH_SIZES = (1, 4, 16)


class Engine:
    """Classifies frames, alone or in streams, on a pool of threads.

    One graph is loaded a model and shared by all threads; each thread has a detector of its own.
    """

    def __init__(self, config: EngineConfig | None = None) -> None:
        """Load and warm up the default model and the detectors.

        Raises :class:`ConfigError`, :class:`ModelSpecError` or :class:`ModelNotFoundError`.
        """
        self.config = config or EngineConfig()
        cv2.setNumThreads(1)  # one thread a frame: OpenCV's own would take the cores of other frames
        self._store, self._default = open_store(self.config)
        self._classifiers: dict[str, Classifier] = {}
        self._loading = threading.Lock()
        self.threads = self.config.threads or len(os.sched_getaffinity(0))
        make_detector = open_detector(self.config.detector)
        pipelines = [Pipeline(make_detector(), self._load) for _ in range(self.threads)]
        self._backlog = Backlog(self.config.max_queue, self.config.max_queue_bytes)
        self._pool = WorkerPool(pipelines)
        try:
            self._warm_up(pipelines)
        except BaseException:
            self._pool.close()
            raise
        self._lock = threading.Lock()
        self._streams: set[EngineStream] = set()
        self._parked = ParkedStreams(self.config.resume_s)
        self._closed = False
        self.runs_on = (
            f"{self._default.spec.name} {self._default.spec.version} with detector {self.config.detector} on "
            f"{self._classifier(self._default).session.runs_on}, {self.threads} thread{'s' * (self.threads != 1)}"
        )

    def models(self) -> list[ModelDescription]:
        """Every model that can be asked for, by name."""
        return [self._describe(file) for file in self._store.models()]

    def model(self, name: str) -> ModelDescription:
        """One model, the default one for an empty name; raises :class:`ModelNotFoundError`."""
        return self._describe(self._file(name))

    def submit(self, frame: Frame, options: FrameOptions | None = None) -> Future[FrameResult]:
        """Classify a single frame; the future raises what is wrong with it.

        Raises :class:`ModelNotFoundError`, :class:`InvalidOptionsError`, :class:`OverloadedError`, and
        :class:`ModelNotReadyError` after :meth:`close`.
        """
        self._require_open()
        return submit_single(frame, self._walk(self._effective(options or FrameOptions())), self._pool, self._backlog)

    def classify(self, frame: Frame, options: FrameOptions | None = None) -> FrameResult:
        """:meth:`submit`, and wait for the answer."""
        return self.submit(frame, options).result()

    def open_stream(self, options: StreamOptions | None = None) -> EngineStream:
        """Open a stream, or reopen the one of the same ``stream_id`` with its tracks.

        Raises as :meth:`submit` does.
        """
        self._require_open()
        options = options or StreamOptions()
        effective = self._effective_stream(options)
        settings = _state_settings(effective, strict_minimum=options.min_detection_interval > 0)
        parked = self._unpark(effective.stream_id)
        stream = EngineStream(
            effective,
            self.model(effective.frame.model),
            self._walk(effective.frame),
            self._pool,
            self._backlog,
            state=parked.state if parked else StreamState(settings, square_crops),
            settings=settings,
            last_frame_id=parked.last_frame_id if parked else None,
            on_close=self._park,
        )
        with self._lock:
            self._streams.add(stream)
        return stream

    def close(self) -> None:
        """Answer what waits as dropped, finish what runs, end the threads."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            streams = list(self._streams)
        for stream in streams:
            stream.close()
        self._pool.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        if self._closed:
            raise ModelNotReadyError("engine must be running, got a frame while it shuts down; try another server")

    def _load(self) -> float:
        return self._pool.load()

    def _crowded(self) -> bool:
        return self._pool.crowded()

    def _file(self, name: str) -> ModelFile:
        return self._store.get(name) if name else self._default

    def _describe(self, file: ModelFile) -> ModelDescription:
        classifier = self._classifiers.get(file.spec.name)
        runs_on = classifier.session.runs_on if classifier else ""
        return describe(file, runs_on=runs_on, is_default=file is self._default)

    def _classifier(self, file: ModelFile) -> Classifier:
        """The model's graph, loaded by whoever needs it first."""
        name = file.spec.name
        with self._loading:
            if name not in self._classifiers:
                classifier = Classifier(self._open_session(file.path), file.spec)
                classifier.infer_now(_one_row(classifier))  # the first run allocates; not on a frame
                self._gather(classifier)
                self._classifiers[name] = classifier
            return self._classifiers[name]

    def _open_session(self, path: Path) -> Session:
        cache_dir = Path(self.config.cache_dir) if self.config.cache_dir else None
        return open_session(path, self.config.device, cache_dir)

    def _gather(self, classifier: Classifier) -> None:
        """Put a batcher before the model where batches pay on this machine."""
        config = self.config
        size = config.max_batch_size or choose(self._measure(classifier, seconds=0.03)).batch_size
        if size > 1:
            batcher = Batcher(classifier.infer_now, size, config.max_queue_delay_us, config.max_queue, self._crowded)
            classifier.gather_with(batcher.infer)

    def _measure(self, classifier: Classifier, seconds: float) -> list[Measurement]:
        return measure(classifier.infer_now, _one_row(classifier), _BATCH_SIZES, self.threads, seconds)

    def tune(self, seconds: float = 1.0) -> tuple[list[Measurement], Measurement]:
        """Measure the default model at several batch sizes, ``seconds`` each: the table, and what is chosen from it."""
        table = self._measure(self._classifier(self._default), seconds)
        return table, choose(table)

    def _walk(self, options: FrameOptions) -> Walk:
        """A frame's walk under ``options`` that are already effective."""
        file = self._file(options.model)
        settings = Settings(options, self.config.max_pixels)

        def walk(pipeline: Pipeline, frame: Frame, state: StreamState | None, arrival_ns: int) -> FrameResult:
            classifier = self._classifiers.get(file.spec.name) or self._classifier(file)
            return pipeline.run(frame, settings, classifier, state, arrival_ns)

        return walk

    def _effective(self, options: FrameOptions) -> FrameOptions:
        """``options`` with the defaults filled in and the limits kept."""
        config = self.config
        if options.detection_side_px > config.max_detection_side_px:
            raise InvalidOptionsError(
                f"detection_side_px must be at most {config.max_detection_side_px} px, "
                f"got {options.detection_side_px}; engine.max_detection_side_px sets this limit"
            )
        return FrameOptions(
            model=self._file(options.model).spec.name,
            min_score=config.min_score if options.min_score is None else options.min_score,
            max_faces=min(options.max_faces or config.max_faces, config.max_faces),
            detection_side_px=options.detection_side_px or config.detection_side_px,
        )

    def _effective_stream(self, options: StreamOptions) -> StreamOptions:
        most = options.detection_interval or max(self.config.detection_interval, options.min_detection_interval)
        return dataclasses.replace(
            options,
            frame=self._effective(options.frame),
            delivery=options.delivery or Delivery.LATEST,
            smoothing_ms=self.config.smoothing_ms if options.smoothing_ms is None else options.smoothing_ms,
            detection_interval=most,
            min_detection_interval=options.min_detection_interval or min(self.config.min_detection_interval, most),
        )

    def _warm_up(self, pipelines: list[Pipeline]) -> None:
        """One grey frame through every pipeline, so that no client waits for first-time allocations."""
        self._classifier(self._default)
        grey = RawImage(PixelFormat.GRAY8, 320, 240, bytes(320 * 240))
        boxes = np.zeros((0, 4), np.float32) if self.config.detector == "none" else None
        walk = self._walk(self._effective(FrameOptions()))
        for pipeline in pipelines:
            walk(pipeline, Frame(0, grey, boxes=boxes), None, time.monotonic_ns())

    def _park(self, stream: EngineStream) -> None:
        """Keep the tracks of a closed, named stream for ``resume_s``."""
        with self._lock:
            self._streams.discard(stream)
            if stream.options.stream_id and not self._closed:
                self._parked.put(stream.options.stream_id, stream.state, stream.last_frame_id)

    def _unpark(self, stream_id: str) -> Parked | None:
        if not stream_id:
            return None
        with self._lock:
            still_open = [s for s in self._streams if s.options.stream_id == stream_id]
        for stream in still_open:  # its connection broke and nobody has noticed yet
            stream.close()
        with self._lock:
            return self._parked.take(stream_id)


def _one_row(classifier: Classifier) -> Tensor:
    return np.zeros_like(classifier.empty_batch(1))


def _state_settings(options: StreamOptions, *, strict_minimum: bool) -> StateSettings:
    """State settings of effective options; ``strict_minimum`` if the client chose the minimum interval."""
    return StateSettings(
        model=options.frame.model,
        smoothing_ms=options.smoothing_ms or 0.0,
        neutral_first_ms=options.neutral_first_ms,
        min_interval=options.min_detection_interval,
        max_interval=options.detection_interval,
        strict_minimum=strict_minimum,
        repeatable=options.delivery is Delivery.EVERY,
    )
