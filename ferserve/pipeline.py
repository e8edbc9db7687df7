"""A frame's walk: the only file that knows the order of the stages."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.decode import Picture, decode
from ferserve.detect import FaceDetector
from ferserve.errors import InvalidFrameError
from ferserve.options import FrameOptions
from ferserve.preprocess import preprocess_into
from ferserve.runtime.base import Tensor
from ferserve.runtime.classifier import Classifier
from ferserve.smooth import Smoother
from ferserve.track import LOST_AFTER_NS, Tracker
from ferserve.types import Crops, Detections, Face, Frame, FrameResult, HeadResult, Timings


@dataclass(frozen=True, slots=True)
class Settings:
    """What a frame is classified with: options with every default filled in, and the limits of the engine."""

    options: FrameOptions
    max_pixels: int
    detection_interval: int = 1


class StreamState:
    """What a stream remembers from frame to frame; for one worker at a time, who holds ``lock``."""

    def __init__(self, smoothing_ms: float) -> None:
        self.lock = threading.Lock()
        """Held while a frame is worked on; two connections may meet here when a stream is resumed."""
        self.tracker = Tracker()
        self.smoother = Smoother(smoothing_ms)
        self.frames_since_detection = 0
        self.seen_any = False
        self._now_ns = 0
        self._capture_ns = 0
        self._arrival_ns = 0

    def advance(self, capture_ns: int, arrival_ns: int) -> int:
        """The stream's own clock at this frame, in ns, which never falls.

        It follows the camera's clock, and the server's where the camera gives none, jumps back, or leaps ahead.
        """
        step = capture_ns - self._capture_ns if capture_ns and self._capture_ns else -1
        if not 0 <= step <= _LEAP_NS:
            step = max(arrival_ns - self._arrival_ns, 0) if self._arrival_ns else 0
        self._capture_ns, self._arrival_ns = capture_ns, arrival_ns
        self._now_ns += step
        return self._now_ns


_LEAP_NS = 5_000_000_000
"""A camera clock that moves further than this between two frames is not believed."""


@dataclass(slots=True)
class _Watch:
    """Milliseconds by stage."""

    started: float = field(default_factory=time.perf_counter)
    laps: dict[str, float] = field(default_factory=dict)

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[f"{stage}_ms"] = self.laps.get(f"{stage}_ms", 0.0) + (now - self.started) * 1e3
        self.started = now


class Pipeline:
    """Decode, detect, preprocess, infer, smooth. Each worker thread owns one."""

    def __init__(self, detector: FaceDetector | None) -> None:
        """``detector`` None means that every frame must bring boxes or crops."""
        self._detector = detector

    def run(
        self,
        frame: Frame,
        settings: Settings,
        classifier: Classifier,
        state: StreamState | None,
        arrival_ns: int,
    ) -> FrameResult:
        """Classify one frame. ``arrival_ns`` is of the monotonic clock.

        Raises :class:`InvalidFrameError` where the frame is at fault.
        """
        now_ns = state.advance(frame.capture_time_ns, arrival_ns) if state else 0
        watch = _Watch()
        if isinstance(frame.payload, Crops):
            return self._run_crops(frame, frame.payload, settings, classifier, watch)
        needs_color = classifier.spec.input.color != "luma" or (self._detector_wants_color and frame.boxes is None)
        picture = decode(frame.payload, color=needs_color, max_pixels=settings.max_pixels)
        watch.lap("decode")
        detections, track_ids = self._find(frame, picture, settings, state, now_ns)
        watch.lap("detect")
        batch = classifier.empty_batch(len(detections))
        _fill(batch, picture, detections, classifier)
        watch.lap("preprocess")
        heads = _heads(classifier, batch)
        if state:
            heads = _smoothed(heads, track_ids, state, now_ns)
        watch.lap("infer")
        return _result(frame, _faces(detections, track_ids, heads), classifier, watch, picture)

    @property
    def _detector_wants_color(self) -> bool:
        return self._detector is not None and self._detector.wants_color

    def _run_crops(
        self, frame: Frame, crops: Crops, settings: Settings, classifier: Classifier, watch: _Watch
    ) -> FrameResult:
        if frame.boxes is not None:
            raise InvalidFrameError("boxes must be left out where the payload is crops, got both; send one of them")
        _require_few(len(crops.images), "crops.images", settings)
        color = classifier.spec.input.color != "luma"
        batch = classifier.empty_batch(len(crops.images))
        found = []
        for i, image in enumerate(crops.images):
            picture = decode(image, color=color, max_pixels=settings.max_pixels)
            watch.lap("decode")
            whole = Detections.from_boxes(np.array([[0, 0, picture.width, picture.height]], np.float32))
            _fill(batch[i : i + 1], picture, whole, classifier)
            found.append(whole.xyxy)
            watch.lap("preprocess")
        detections = Detections.from_boxes(np.concatenate(found)) if found else Detections.empty()
        heads = _heads(classifier, batch)
        watch.lap("infer")
        return _result(frame, _faces(detections, _untracked(detections), heads), classifier, watch, None)

    def _find(
        self, frame: Frame, picture: Picture, settings: Settings, state: StreamState | None, now_ns: int
    ) -> tuple[Detections, NDArray[np.int64]]:
        """Boxes from the client, the tracker or the detector, whichever comes first, and their track ids."""
        if frame.boxes is not None:
            detections = _given(frame.boxes, picture, settings)
            return detections, state.tracker.update(detections, now_ns) if state else _untracked(detections)
        if state and state.seen_any and state.frames_since_detection + 1 < settings.detection_interval:
            state.frames_since_detection += 1
            return state.tracker.predict(now_ns)
        detections = self._detect(picture, settings)
        if state is None:
            return detections, _untracked(detections)
        state.frames_since_detection, state.seen_any = 0, True
        return detections, state.tracker.update(detections, now_ns)

    def _detect(self, picture: Picture, settings: Settings) -> Detections:
        if self._detector is None:
            raise InvalidFrameError(
                "boxes must be given where the server has no detector, got none; send boxes or crops"
            )
        image = picture.bgr if self._detector.wants_color else picture.luma
        assert image is not None
        detections = self._detector.detect(
            image, side_px=settings.options.detection_side_px, min_score=settings.options.min_score or 0.0
        )
        if len(detections) > settings.options.max_faces:
            size = np.prod(detections.xyxy[:, 2:] - detections.xyxy[:, :2], axis=1)
            detections = detections.select(np.sort(np.argsort(-size, kind="stable")[: settings.options.max_faces]))
        return detections


def _require_few(count: int, field_name: str, settings: Settings) -> None:
    if count > settings.options.max_faces:
        raise InvalidFrameError(
            f"{field_name} must be at most {settings.options.max_faces}, got {count}; send them in parts"
        )


def _given(boxes: NDArray[np.float32], picture: Picture, settings: Settings) -> Detections:
    """Check the client's boxes: each must be finite, hold at least some area, and touch the frame."""
    _require_few(len(boxes), "boxes", settings)
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        if not np.isfinite(boxes[i]).all() or not (x0 < x1 and y0 < y1):
            raise InvalidFrameError(f"boxes[{i}] must be finite with x0 < x1 and y0 < y1, got {(x0, y0, x1, y1)}")
        if x0 >= picture.width or y0 >= picture.height or x1 <= 0 or y1 <= 0:
            size = f"{picture.width}x{picture.height}"
            raise InvalidFrameError(f"boxes[{i}] must overlap the frame of {size} px, got {(x0, y0, x1, y1)}")
    return Detections.from_boxes(np.ascontiguousarray(boxes, np.float32))


def _untracked(detections: Detections) -> NDArray[np.int64]:
    return np.zeros(len(detections), np.int64)


def _fill(batch: Tensor, picture: Picture, detections: Detections, classifier: Classifier) -> None:
    if len(detections) == 0:
        return
    spec = classifier.spec.input
    landmarks = detections.landmarks if spec.align != "none" else None
    if spec.color == "luma":
        preprocess_into(picture.luma, "luma", detections.xyxy, spec, batch, landmarks=landmarks)
    else:
        assert picture.bgr is not None
        preprocess_into(picture.bgr, "bgr", detections.xyxy, spec, batch, landmarks=landmarks)


def _heads(classifier: Classifier, batch: Tensor) -> list[list[HeadResult]]:
    """For each face, the results of every head."""
    if len(batch) == 0:
        return []
    outputs = classifier.infer(batch)
    specs = classifier.spec.heads
    return [
        [HeadResult(h.name, h.labels, out[i]) for h, out in zip(specs, outputs, strict=True)] for i in range(len(batch))
    ]


def _smoothed(
    heads: list[list[HeadResult]], track_ids: NDArray[np.int64], state: StreamState, now_ns: int
) -> list[list[HeadResult]]:
    def one(track_id: int, head: HeadResult) -> HeadResult:
        raw = head.probabilities
        smooth = state.smoother.smooth(track_id, head.name, raw, now_ns)
        return HeadResult(head.name, head.labels, smooth, None if smooth is raw else raw)

    smoothed = [[one(int(i), head) for head in face] for i, face in zip(track_ids, heads, strict=True)]
    state.smoother.forget_older(now_ns - LOST_AFTER_NS)
    return smoothed


def _faces(detections: Detections, track_ids: NDArray[np.int64], heads: list[list[HeadResult]]) -> tuple[Face, ...]:
    boxes: list[Any] = detections.xyxy.tolist()
    return tuple(
        Face(
            box=tuple(boxes[i]),
            score=float(detections.score[i]),
            heads=tuple(heads[i]),
            landmarks=None if detections.landmarks is None else detections.landmarks[i],
            track_id=int(track_ids[i]),
        )
        for i in range(len(detections))
    )


def _result(
    frame: Frame, faces: tuple[Face, ...], classifier: Classifier, watch: _Watch, picture: Picture | None
) -> FrameResult:
    return FrameResult(
        frame_id=frame.frame_id,
        capture_time_ns=frame.capture_time_ns,
        faces=faces,
        timings=Timings(**watch.laps),
        model_name=classifier.spec.name,
        model_version=classifier.spec.version,
        width=picture.width if picture else 0,
        height=picture.height if picture else 0,
    )
