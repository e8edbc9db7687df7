"""The order of the stages; no other file knows it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ferserve.detection.base import FaceDetector
from ferserve.detection.second_look import confirm
from ferserve.errors import InvalidFrameError
from ferserve.models.spec import HeadSpec, InputSpec
from ferserve.options import FrameOptions
from ferserve.runtime.base import Tensor
from ferserve.runtime.model_set import ModelSet
from ferserve.tracking.state import StreamState
from ferserve.tracking.tracker import Tracked
from ferserve.types import Crops, Detections, Face, Frame, FrameResult, HeadPose, HeadResult, Timings
from ferserve.types.head_pose import head_pose
from ferserve.vision.budget import FrameBudget, FrameLimits
from ferserve.vision.decode import decode
from ferserve.vision.picture import Picture
from ferserve.vision.preprocess import preprocess_into
from ferserve.vision.selection import client_boxes, largest_rows, require_at_most, require_crop, rows_to_classify


@dataclass(frozen=True, slots=True)
class Settings:
    """The models and the choices that classify a frame, with every default filled in."""

    models: ModelSet
    options: FrameOptions
    limits: FrameLimits
    """What a frame may cost."""


class _Stopwatch:
    """Nanoseconds per stage, from the arrival of a frame to its result."""

    def __init__(self, arrival_ns: int) -> None:
        self._arrival_ns = arrival_ns
        self._lap_ns = time.monotonic_ns()
        self._queue_ns = self._lap_ns - arrival_ns
        self._spent = {"decode": 0, "detect": 0, "preprocess": 0, "infer": 0}

    def lap(self, stage: str) -> None:
        now_ns = time.monotonic_ns()
        self._spent[stage] += now_ns - self._lap_ns
        self._lap_ns = now_ns

    def timings(self) -> Timings:
        spent = self._spent
        return Timings(
            queue_ms=self._queue_ns / 1e6,
            decode_ms=spent["decode"] / 1e6,
            detect_ms=spent["detect"] / 1e6,
            preprocess_ms=spent["preprocess"] / 1e6,
            infer_ms=spent["infer"] / 1e6,
            total_ms=(time.monotonic_ns() - self._arrival_ns) / 1e6,
        )


class Pipeline:
    """Decode, detect, preprocess, infer, smooth. Each worker thread owns one."""

    def __init__(self, detector: FaceDetector | None, load: Callable[[], float]) -> None:
        """Without a ``detector`` every frame must bring boxes or crops; ``load`` gives the workers' load, 0 to 1."""
        self._detector = detector
        self.detector_wants_color = detector is not None and detector.wants_color
        self._load = load
        self.detection_passes = self.followed_frames = 0
        """Frames in which the detector looked for faces, and those in which faces were followed without it."""

    @property
    def detector_runs_on(self) -> str:
        """The detector and what runs it, such as ``detector yunet on OpenCV 4.14``; ``no detector`` without one."""
        return f"detector {self._detector.name} on {self._detector.runs_on}" if self._detector else "no detector"

    def run(
        self,
        frame: Frame,
        settings: Settings,
        state: StreamState | None,
        arrival_ns: int,
        abandoned: Callable[[], bool] = lambda: False,
    ) -> FrameResult:
        """Classify one frame that arrived at ``arrival_ns`` of the monotonic clock.

        With a ``state``, whose lock the caller holds, faces are tracked and smoothed. Between two stages the frame is
        given up if it is ``abandoned`` or used up its time. Raises :class:`InvalidFrameError` if the frame is at fault,
        and :class:`FrameAbandonedError`.
        """
        budget = FrameBudget(settings.limits, frame.payload_bytes, abandoned)
        models = settings.models
        now_ns = state.advance(frame.capture_time_ns, arrival_ns) if state else 0
        watch = _Stopwatch(arrival_ns)
        if isinstance(frame.payload, Crops):
            return self._run_crops(frame, frame.payload, settings, watch, budget)
        needs_color = models.wants_color or (self.detector_wants_color and frame.boxes is None)
        picture = decode(frame.payload, color=needs_color, budget=budget, use_truncated=settings.options.use_truncated)
        watch.lap("decode")
        budget.check("detect")
        detections, track_ids = self._find(frame, picture, settings, state, now_ns)
        if frame.boxes is None:
            wanted = rows_to_classify(detections, models.strictest_crop, settings.options.max_faces)
            detections, track_ids = detections.select(wanted), track_ids[wanted]
        watch.lap("detect")
        columns = []
        for model in models.members:
            budget.check("preprocess")
            batch = model.classifier.empty_batch(len(detections))
            _fill(batch, picture, detections, model.classifier.spec.input)
            watch.lap("preprocess")
            budget.check("infer")
            columns.append(model.infer(batch) if len(batch) else [])
            watch.lap("infer")
        heads = _heads(models, columns)
        if state:
            heads = state.refine(heads, track_ids, now_ns, neutral=frame.neutral)
        watch.lap("infer")
        return _result(frame, self._faces(detections, track_ids, heads), models, watch, picture)

    def _run_crops(
        self, frame: Frame, crops: Crops, settings: Settings, watch: _Stopwatch, budget: FrameBudget
    ) -> FrameResult:
        if frame.boxes is not None:
            raise InvalidFrameError("boxes must be left out if the payload is crops, got both; send one of them")
        require_at_most(settings.options.max_faces, len(crops.images), "crops.images")
        models = settings.models
        batches = [
            (model.classifier.empty_batch(len(crops.images)), model.classifier.spec.input) for model in models.members
        ]
        boxes, notes = [], []
        for row, image in enumerate(crops.images):  # one at a time: decoded images may be large
            budget.check("decode")
            picture = decode(
                image, color=models.wants_color, budget=budget, use_truncated=settings.options.use_truncated
            )
            watch.lap("decode")
            boxes.append(_whole(picture.width, picture.height))
            require_crop(boxes[row], models.strictest_crop, f"crops.images[{row}]")
            if picture.degraded:
                notes.append(f"crops.images[{row}]: {picture.degraded}")
            for batch, spec in batches:
                preprocess_into(_pixels(picture, spec), _order(spec), boxes[row], spec, batch, row=row)
            watch.lap("preprocess")
        budget.check("infer")
        detections = Detections.from_boxes(np.concatenate(boxes)) if boxes else Detections.empty()
        members = zip(models.members, batches, strict=True)
        heads = _heads(models, [model.infer(batch) if len(batch) else [] for model, (batch, _) in members])
        watch.lap("infer")
        result = _result(frame, self._faces(detections, _untracked(detections), heads), models, watch, None)
        return dataclasses.replace(result, degraded="; ".join(notes)) if notes else result

    def _find(
        self, frame: Frame, picture: Picture, settings: Settings, state: StreamState | None, now_ns: int
    ) -> tuple[Detections, NDArray[np.int64]]:
        """Boxes from the client, the tracker or the detector, in this order of preference, and their track ids."""
        if state:
            state.tracker.set_frame_size(picture.width, picture.height)
        if frame.boxes is not None:
            detections = client_boxes(frame.boxes, picture, settings.options.max_faces, settings.limits.max_pixels)
            ids = state.tracker.update(detections, now_ns).track_ids if state else _untracked(detections)
            return detections, ids
        if state is None:
            detections = self._detect(picture, settings, alone=True)
            return detections, _untracked(detections)
        tracked = self._track(picture, settings, state, now_ns)
        return tracked.detections, tracked.track_ids

    def _track(self, picture: Picture, settings: Settings, state: StreamState, now_ns: int) -> Tracked:
        """Follow the faces; detect them if it is time, or if following is unsure."""
        tracker, schedule = state.tracker, state.schedule
        if not schedule.next_frame(now_ns, self._load()):
            followed = tracker.follow(picture.luma, now_ns)
            if not (followed.unsure and schedule.may_detect(cut=followed.cut)):
                self.followed_frames += 1
                return followed
        updated = tracker.update(self._detect(picture, settings), now_ns, picture.luma)
        schedule.record_pass(now_ns, unsure=updated.unsure)
        return updated

    def _detect(self, picture: Picture, settings: Settings, *, alone: bool = False) -> Detections:
        """The faces of a picture; if it stands ``alone``, doubtful ones get a second look at once."""
        if self._detector is None:
            raise InvalidFrameError(
                "boxes must be given if engine.detector is 'none', got no boxes; send boxes or crops, or set "
                "engine.detector to 'face-lite'"
            )
        self.detection_passes += 1
        image = picture.bgr if self._detector.wants_color else picture.luma
        assert image is not None
        min_score = settings.options.min_score or 0.0
        found = self._detector.detect(image, side_px=settings.options.detection_side_px, min_score=min_score)
        found = found.select(largest_rows(found.xyxy, max(_MAX_TRACKED, settings.options.max_faces)))
        return confirm(self._detector, image, found, min_score) if alone else found

    def _faces(
        self, detections: Detections, track_ids: NDArray[np.int64], heads: list[tuple[HeadResult, ...]]
    ) -> tuple[Face, ...]:
        marks: list[NDArray[np.float32] | None] = [None] * len(heads)
        poses: list[HeadPose | None] = [None] * len(heads)
        if detections.landmarks is not None and self._detector is not None:
            calibration = self._detector.pose_calibration
            marks = list(detections.landmarks)
            poses = [head_pose(mark, calibration) for mark in marks]
        ages = [0.0] * len(heads) if detections.landmarks_age_ms is None else detections.landmarks_age_ms.tolist()
        rows = zip(
            *(detections.xyxy.tolist(), detections.score.tolist(), heads),
            *(marks, track_ids.tolist(), ages, poses),
            strict=True,
        )
        return tuple(Face((x0, y0, x1, y1), *rest) for (x0, y0, x1, y1), *rest in rows)


def square_crops(luma: NDArray[np.uint8], xyxy: NDArray[np.float32], side: int) -> NDArray[np.uint8]:
    """Boxes of a luma image as uint8 (N, side, side), stretched; the sampler for :mod:`ferserve.tracking.template`."""
    out = np.empty((len(xyxy), 1, side, side), np.uint8)
    preprocess_into(luma, "luma", xyxy, _square_spec(side), out)
    return out[:, 0]


@lru_cache
def _square_spec(side: int) -> InputSpec:
    return InputSpec(side, side, dtype="uint8", scale=1.0, square=False)


_MAX_TRACKED = 64
"""Faces that are tracked even if the caller wants fewer answers; each takes time."""


def _untracked(detections: Detections) -> NDArray[np.int64]:
    return np.zeros(len(detections), np.int64)


def _fill(batch: Tensor, picture: Picture, detections: Detections, spec: InputSpec) -> None:
    if len(detections) == 0:
        return
    require_crop(detections.xyxy, spec, "boxes")
    landmarks = detections.landmarks if spec.align != "none" else None
    preprocess_into(_pixels(picture, spec), _order(spec), detections.xyxy, spec, batch, landmarks=landmarks)


def _pixels(picture: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """What the model looks at: uint8 (H, W) of luma, or (H, W, 3) of BGR."""
    if spec.color == "luma":
        return picture.luma
    assert picture.bgr is not None
    return picture.bgr


def _order(spec: InputSpec) -> Literal["luma", "bgr"]:
    return "luma" if spec.color == "luma" else "bgr"


@lru_cache
def _whole(width: int, height: int) -> NDArray[np.float32]:
    """The box of a whole image, read-only float32 (1, 4)."""
    box = np.array([[0, 0, width, height]], np.float32)
    box.flags.writeable = False
    return box


def _heads(models: ModelSet, columns: list[list[NDArray[np.float32]]]) -> list[tuple[HeadResult, ...]]:
    """The results of every head, per face; ``columns`` are each model's probabilities (N, K) by head."""
    by_head = [
        _head(spec, probabilities)
        for specs, of_model in zip(models.heads, columns, strict=True)
        for spec, probabilities in zip(specs, of_model, strict=False)
    ]
    return list(zip(*by_head, strict=True))


def _head(spec: HeadSpec, probabilities: NDArray[np.float32]) -> list[HeadResult]:
    return [HeadResult.of(spec.name, spec.labels, row, spec.reserved_index) for row in probabilities]


def _result(
    frame: Frame, faces: tuple[Face, ...], models: ModelSet, watch: _Stopwatch, picture: Picture | None
) -> FrameResult:
    return FrameResult(
        frame_id=frame.frame_id,
        capture_time_ns=frame.capture_time_ns,
        faces=faces,
        timings=watch.timings(),
        model_name=models.name,
        model_version=models.version,
        width=picture.width if picture else 0,
        height=picture.height if picture else 0,
        degraded=picture.degraded if picture else "",
    )
