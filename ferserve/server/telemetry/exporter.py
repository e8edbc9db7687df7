"""Counts outcomes into a page."""

from __future__ import annotations

import threading
from bisect import bisect_left

from ferserve.errors import FerserveError
from ferserve.server.telemetry import catalogue as c
from ferserve.server.telemetry.families import Family
from ferserve.server.telemetry.page import ModelLabels, Page
from ferserve.types import DropReason, FrameResult

_REJECTED, _CANCELED, _BACKEND, _OTHER = (c.LAYOUT.place(c.FAILURE, reason) for (reason,) in c.FAILURE.values)
_DROPPED = {reason: c.LAYOUT.place(c.FRAMES, "dropped", reason.value) for reason in DropReason}
_FAULTS = {kind: c.LAYOUT.place(c.FRAMES, "fault", kind) for kind in c.KINDS}
_REFUSED = {kind: c.LAYOUT.place(c.REFUSED, kind) for kind in c.KINDS}
_LIMITED = {limit: c.LAYOUT.place(c.LIMITED, limit) for limit in c.LIMITS}
_INTERNAL = FerserveError.kind
_ANSWERED = c.LAYOUT.place(c.FRAMES, "answered", "")
_CANCELLED = c.LAYOUT.place(c.FRAMES, "cancelled", "")
_OPENED = {resumed: c.LAYOUT.place(c.OPENED, str(resumed).lower()) for resumed in (False, True)}
_TOKENS = {outcome: c.LAYOUT.place(c.RESUME_TOKENS, outcome) for outcome in c.TOKEN_OUTCOMES}
_SECONDS = c.SECONDS
_TIMES = (*(c.LAYOUT.place(c.STAGE, stage) for stage in c.STAGES), c.LAYOUT.place(c.DURATION))
_SUM = len(_SECONDS) + 1
_FACES, _BATCH, _LAG = (c.LAYOUT.place(family) for family in (c.FACES, c.BATCH, c.LAG))
_DEGRADED, _STREAMS, _STALLED = (c.LAYOUT.place(family) for family in (c.DEGRADED, c.STREAMS, c.STALLED))
_SUCCESS, _REQUEST, _QUEUE, _INPUT, _INFER, _INFERENCES, _RUNS = (
    c.MODEL_LAYOUT.place(family)
    for family in (c.SUCCESS, c.REQUEST_US, c.QUEUE_US, c.INPUT_US, c.INFER_US, c.INFERENCES, c.RUNS)
)


class Exporter:
    """The implementation of :class:`ferserve.metrics.Metrics` whose numbers can be scraped."""

    def __init__(self, page: Page) -> None:
        """``page`` may be that of a process which has ended: counters go on, and nothing is open."""
        self.page = page
        self._numbers = page.numbers
        self._lock = threading.Lock()
        self._models: dict[tuple[str, str], int] = {}
        page.clear_gauges()
        self._numbers[c.LAYOUT.place(c.UP)] = 1
        self._numbers[c.LAYOUT.place(c.STARTS)] += 1

    def frame_answered(self, result: FrameResult) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            if result.fault is not None:
                kind = result.fault.code
                self._numbers[_FAULTS.get(kind, _FAULTS[_INTERNAL])] += 1
                self._numbers[_OTHER if kind in _FAULTS and kind != _INTERNAL else _BACKEND] += 1
            elif result.dropped is not None:
                self._numbers[_DROPPED[result.dropped]] += 1
                if result.dropped is not DropReason.SUPERSEDED:
                    self._numbers[_REJECTED] += 1
            else:
                self._count_answer(result)

    def _count_answer(self, result: FrameResult) -> None:
        """Inlined, because every microsecond here is one of a core per frame."""
        numbers, timings = self._numbers, result.timings
        queue_ms, infer_ms, total_ms = timings.queue_ms, timings.infer_ms, timings.total_ms
        decode_ms, detect_ms, preprocess_ms = timings.decode_ms, timings.detect_ms, timings.preprocess_ms
        numbers[_ANSWERED] += 1
        self._observe(_FACES, c.FACES, len(result.faces))
        spent_ms = (queue_ms, decode_ms, detect_ms, preprocess_ms, infer_ms, total_ms)
        for start, ms in zip(_TIMES, spent_ms):  # noqa: B905 - twice as fast
            seconds = ms * 0.001
            numbers[start + bisect_left(_SECONDS, seconds)] += 1.0
            numbers[start + _SUM] += seconds
        at = self._models.get((result.model_name, result.model_version)) or self._place_of(
            result.model_name, result.model_version
        )
        numbers[at + _SUCCESS] += 1.0
        numbers[at + _REQUEST] += total_ms * 1000.0
        numbers[at + _QUEUE] += queue_ms * 1000.0
        numbers[at + _INPUT] += (decode_ms + detect_ms + preprocess_ms) * 1000.0
        numbers[at + _INFER] += infer_ms * 1000.0

    def _observe(self, start: int, family: Family, value: float) -> None:
        buckets = family.buckets
        self._numbers[start + bisect_left(buckets, value)] += 1
        self._numbers[start + len(buckets) + 1] += value

    def _place_of(self, model: str, version: str) -> int:
        place = self._models.get((model, version))
        if place is None:
            place = self._models[model, version] = Page.model_at(self._index_of(ModelLabels(model, version)))
        return place

    def _index_of(self, labels: ModelLabels) -> int:
        """The former process of this page may have had the model too."""
        for index, known in enumerate(self.page.models()):
            if (known.model, known.version) == (labels.model, labels.version):
                return index
        return self.page.add_model(labels)

    def frame_degraded(self) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        self._add(_DEGRADED, 1)

    def frame_cancelled(self) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self._numbers[_CANCELLED] += 1
            self._numbers[_CANCELED] += 1

    def model_ran(self, model: str, version: str, rows: int) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self._observe(_BATCH, c.BATCH, rows)
            at = self._place_of(model, version)
            self._numbers[at + _RUNS] += 1
            self._numbers[at + _INFERENCES] += rows

    def model_loaded(self, model: str, version: str, *, runs_on: str, sha256: str) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        labels = ModelLabels(model, version, runs_on, sha256)
        with self._lock:
            self.page.describe_model(self._index_of(labels), labels)

    def call_refused(self, kind: str) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        self._add(_REFUSED.get(kind, _REFUSED[_INTERNAL]), 1)

    def limit_reached(self, limit: str) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        self._add(_LIMITED.get(limit, _LIMITED["other"]), 1)

    def stream_opened(self, *, resumed: bool) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self._numbers[_STREAMS] += 1
            self._numbers[_OPENED[resumed]] += 1

    def resume_token(self, outcome: str) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        self._add(_TOKENS[outcome], 1)

    def stream_closed(self) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        self._add(_STREAMS, -1)

    def workers_stalled(self, stalled: bool) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        self._numbers[_STALLED] = int(stalled)

    def loop_lagged(self, lag_s: float) -> None:
        """See :class:`ferserve.metrics.Metrics`."""
        with self._lock:
            self._observe(_LAG, c.LAG, lag_s)

    def _add(self, place: int, amount: float) -> None:
        with self._lock:
            self._numbers[place] += amount
