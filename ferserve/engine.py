"""The engine: threads, streams and limits. Every door calls it; it knows nothing of the network."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.config import EngineConfig
from ferserve.detection.factory import open_detector
from ferserve.errors import ModelNotReadyError
from ferserve.metrics import NO_METRICS, EngineFigures, Metrics
from ferserve.options import FrameOptions, StreamOptions
from ferserve.pipeline import Pipeline, Settings, square_crops
from ferserve.processors import usable_processors
from ferserve.runtime.base import Tensor
from ferserve.runtime.batching import Measurement
from ferserve.runtime.loader import LoadedModel
from ferserve.runtime.model_set import ModelSet
from ferserve.runtime.registry import ModelRegistry
from ferserve.runtime.reopening import lost_devices
from ferserve.scheduling.backlog import Backlog
from ferserve.scheduling.caller import WITHIN_PROCESS, Caller
from ferserve.scheduling.effective import effective_frame, effective_stream, settings_of_state
from ferserve.scheduling.pool import WorkerPool
from ferserve.scheduling.resumable import ResumableStream, ResumableStreams, ResumeKey, taken_over
from ferserve.scheduling.single import RowsFuture, require_rows, submit_frame, submit_rows
from ferserve.scheduling.stream import EngineStream
from ferserve.tracking.state import StreamState
from ferserve.types import Frame, FrameResult, ModelDescription, PixelFormat, RawImage
from ferserve.types.handover import Handover
from ferserve.vision.budget import FrameLimits


class Engine:
    """Classifies frames, alone or in streams, on a pool of threads.

    All threads share the graph of each model; each thread has a detector of its own. A process that is forked later has
    none of them: there every call raises :class:`FerserveError`, and an engine of its own works.
    """

    def __init__(self, config: EngineConfig | None = None, metrics: Metrics = NO_METRICS) -> None:
        """Load and warm up the default model and the detectors.

        Raises :class:`ConfigError`, :class:`ModelSpecError` or :class:`ModelNotFoundError`.
        """
        self.config = config or EngineConfig()
        self.metrics = metrics
        self.threads = self.config.threads or usable_processors()
        cv2.setNumThreads(1)  # one thread per frame: OpenCV's own would take the cores of other frames
        self._pool: WorkerPool[Pipeline] = WorkerPool(self.threads, self.config.spare_threads)
        self._registry = ModelRegistry(self.config, self.threads, self._pool.is_contended, metrics)
        cache_dir = Path(self.config.cache_dir) if self.config.cache_dir else None
        make_detector = open_detector(self.config.detector, self.config.device, cache_dir)
        pipelines = [
            Pipeline(make_detector(), self._pool.load) for _ in range(self.threads + self.config.spare_threads)
        ]
        self._warm_up(pipelines)
        self._pipelines = pipelines
        self._backlog = Backlog(self.config.max_queue, self.config.max_queue_bytes)
        self._lock = threading.Lock()
        self._streams: set[EngineStream] = set()
        self._resumable = ResumableStreams(self.config)
        self._closed = False
        self._pool.start(pipelines)
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        self.runs_on = f"{self._model_runs_on()}, {pipelines[0].detector_runs_on}, {threads}"

    def _model_runs_on(self) -> str:
        model = self._registry.get("")
        return f"{model.spec.name} {model.spec.version} on {model.runs_on}"

    def models(self) -> list[ModelDescription]:
        """Every version of every model, by name and version; each says in what ``state`` it is."""
        return self._registry.models()

    def model(self, name: str) -> ModelDescription:
        """One version of a model: ``NAME`` for its default version, ``NAME@VERSION``, ``NAME@ALIAS``.

        The empty name is the default model's. Raises :class:`ModelNotFoundError`.
        """
        return self._registry.describe(name)

    def is_loaded(self, name: str) -> bool:
        """True if calls and streams that ask for this model, the default one for an empty name, start at once."""
        return self._registry.is_loaded(name)

    def load(self, name: str) -> LoadedModel:
        """Load a model, the default one for an empty name; returns at once if it is loaded.

        :meth:`submit`, :meth:`infer` and :meth:`open_stream` do the same in their caller's thread; an event loop calls
        this in another thread first. Raises :class:`ModelNotFoundError`, :class:`ModelSpecError`,
        :class:`ConfigError`, and :class:`ModelNotReadyError` if it was unloaded and after :meth:`close`.
        """
        self._require_open()
        return self._registry.get(name)

    def load_model(self, name: str) -> list[ModelDescription]:
        """Read the files of a model again, and use what they hold from now on; returns the versions that were loaded.

        ``NAME`` stands for all versions, ``NAME@VERSION`` for one. The former ones answer until the new ones are warm.
        If one cannot be loaded, nothing changes. Raises :class:`ModelNotFoundError` or :class:`ModelLoadError`.
        """
        self._require_open()
        return self._registry.load(name)

    def unload_model(self, name: str) -> None:
        """Take a model, all versions or ``NAME@VERSION``, from the callers to come; open streams keep it.

        Until :meth:`load_model` they get :class:`ModelNotReadyError`. Raises :class:`ModelNotFoundError`.
        """
        self._require_open()
        self._registry.unload(name)

    def refresh_models(self) -> None:
        """Take up what changed in ``engine.model_repository``; see :meth:`ModelRegistry.refresh`."""
        self._require_open()
        self._registry.refresh()

    def submit(
        self, frame: Frame, options: FrameOptions | None = None, caller: Caller = WITHIN_PROCESS
    ) -> Future[FrameResult]:
        """Classify a single frame; the future raises :class:`InvalidFrameError` if the frame is at fault.

        All single calls of one ``caller`` together get as many turns as one of its streams.

        Raises :class:`InvalidOptionsError`, :class:`OverloadedError`, and as :meth:`load` does.
        """
        self._require_open()
        settings = self._settings(options or FrameOptions())
        return submit_frame(frame, settings, self._pool, caller, self._backlog, self.metrics)

    def classify(self, frame: Frame, options: FrameOptions | None = None) -> FrameResult:
        """:meth:`submit`, and wait for the answer."""
        return self.submit(frame, options).result()

    def submit_rows(self, model: str | LoadedModel, rows: Tensor, caller: Caller = WITHIN_PROCESS) -> RowsFuture:
        """Run a model, the default one for an empty name, on rows that the caller preprocessed.

        ``rows`` (N, *row_shape) of the model's dtype, as its spec says; the future gives probabilities (N, K) of every
        head, in the model's order. The rows wait for a worker like any frame, so they share processors, turns and
        limits with the streams, and batches with their faces; the caller's thread would take a core from a worker.

        Raises :class:`InvalidFrameError` for rows of another shape or dtype, :class:`OverloadedError`, and as
        :meth:`load` does.
        """
        self._require_open()
        loaded = self.load(model) if isinstance(model, str) else model
        require_rows(rows, loaded)
        return submit_rows(loaded.infer, rows, self._pool, caller, self._backlog)

    def infer(self, model: str, rows: Tensor) -> list[NDArray[np.float32]]:
        """:meth:`submit_rows`, and wait for the answer."""
        return self.submit_rows(model, rows).result()

    def wants_color(self, options: FrameOptions) -> bool:
        """Whether frames with these options need more than luma; raises as :meth:`load` does."""
        return self._registry.get_set(options.names).wants_color or self._pipelines[0].detector_wants_color

    def open_stream(
        self,
        options: StreamOptions | None = None,
        caller: Caller = WITHIN_PROCESS,
        resume_token: bytes = b"",
        handover: Handover | None = None,
    ) -> EngineStream:
        """Open a stream, or reopen the one of the same ``stream_id`` with its tracks.

        Only who opened it can: a ``caller`` that is not authenticated needs the ``resume_token`` of the former stream.
        A ``handover`` that is newer than what is known here is where the stream goes on.

        Callers share the machine evenly if all want it, and each caller's streams its part, by their priorities.

        Raises :class:`InvalidOptionsError`, and as :meth:`load` does.
        """
        self._require_open()
        options = options or StreamOptions()
        followed = self._registry.follow(options.frame.names)
        settings = self._settings(options.frame, followed.models)
        effective = effective_stream(options, self.config, settings.options)
        state_settings = settings_of_state(effective, strict_minimum=options.min_detection_interval > 0)
        key = ResumeKey.of(effective.stream_id, caller, resume_token)
        former = self._take_former(key) if effective.stream_id else None
        if handover is not None and (former is None or handover.frame_id > former.last_frame_id):
            state = StreamState(state_settings, square_crops)
            former = taken_over(handover, state, followed.describe(), effective.stream_id, caller)
        with self._lock:
            self._require_open()
            stream = EngineStream(
                effective,
                settings,
                followed,
                self._pool,
                caller,
                self._backlog,
                self.metrics,
                state=former.state if former else StreamState(state_settings, square_crops),
                state_settings=state_settings,
                last_frame_id=former.last_frame_id if former else None,
                resume_key=former.key if former else ResumeKey.new(effective.stream_id, caller),
                on_close=self._on_stream_close,
            )
            self._streams.add(stream)
        return stream

    def tune(self, seconds: float = 1.0) -> tuple[list[Measurement], Measurement]:
        """Measure the default model at several batch sizes, ``seconds`` each: the table, and the choice from it."""
        return self._registry.tune(seconds)

    def figures(self) -> EngineFigures:
        """What it holds now, and what its threads have done."""
        waiting, waiting_bytes = self._backlog.holds()
        with self._lock:
            resumable, resumable_bytes = self._resumable.holds()
            streams = list(self._streams)
        return EngineFigures(
            waiting=waiting,
            waiting_bytes=waiting_bytes,
            threads=self.threads,
            busy_threads=self._pool.busy,
            resumable=resumable,
            resumable_bytes=resumable_bytes,
            tracks=sum(len(stream.state.tracker.known_ids) for stream in streams),
            detection_passes=sum(pipeline.detection_passes for pipeline in self._pipelines),
            followed_frames=sum(pipeline.followed_frames for pipeline in self._pipelines),
            device_lost=bool(lost_devices()),
        )

    def stalled_s(self) -> float:
        """How long every worker thread has been in the same piece of work; 0 as long as one is idle. In seconds."""
        return self._pool.stalled_s()

    def close(self) -> None:
        """Answer waiting frames of streams as dropped, finish the rest, end the threads; in a forked child, nothing."""
        if self._pool.process.was_left:
            return
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
        self._pool.process.require_own()
        if self._closed:
            raise ModelNotReadyError("engine must be running, got a frame while it shuts down; try another server")

    def _settings(self, options: FrameOptions, models: ModelSet | None = None) -> Settings:
        models = models or self._registry.get_set(options.names)
        limits = FrameLimits(self.config.max_pixels, self.config.max_expansion, self.config.max_frame_ms)
        return Settings(models, effective_frame(options, self.config, models.name), limits)

    def _warm_up(self, pipelines: list[Pipeline]) -> None:
        """Run one grey frame through every pipeline, so that no client waits for first-time allocations.

        A first run may take any time; ``max_frame_ms`` is for the frames of clients.
        """
        grey = RawImage(PixelFormat.GRAY8, 320, 240, bytes(320 * 240))
        boxes = np.zeros((0, 4), np.float32) if self.config.detector == "none" else None
        settings = self._settings(FrameOptions())
        settings = replace(settings, limits=replace(settings.limits, max_frame_ms=math.inf))
        for pipeline in pipelines:
            pipeline.run(Frame(0, grey, boxes=boxes), settings, None, time.monotonic_ns())
            pipeline.detection_passes = 0  # nobody's frame

    def _on_stream_close(self, stream: EngineStream) -> None:
        """Keep the tracks of a closed, named stream for ``resume_s``."""
        with self._lock:
            self._streams.discard(stream)
            if stream.options.stream_id and not self._closed:
                self._resumable.put(stream.resume_key, stream.state, stream.last_frame_id)

    def _take_former(self, key: ResumeKey) -> ResumableStream | None:
        with self._lock:
            still_open = [s for s in self._streams if s.resume_key.digest == key.digest]
        for stream in still_open:  # its connection broke, unnoticed so far
            stream.close()
        with self._lock:
            return self._resumable.take(key)
