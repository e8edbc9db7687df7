"""What flows through the pipeline. Arrays are (row, col); boxes are pixels, half-open, x before y."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve.labels import CLARITY, CLEAR, MIN_CERTAINTY

Array: TypeAlias = NDArray[np.generic]


class PixelFormat(Enum):
    """Layouts of raw frames; the value is the name used in configuration and messages."""

    GRAY8 = "gray8"
    BGR24 = "bgr24"
    RGB24 = "rgb24"
    NV12 = "nv12"
    I420 = "i420"
    YUYV = "yuyv"


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A JPEG, PNG, WebP or BMP file as bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class RawImage:
    """An uncompressed frame.

    ``data`` holds the planes one after the other: one plane for GRAY8, BGR24, RGB24 and YUYV; Y then interleaved UV
    for NV12; Y, U, V for I420. ``stride`` is the length of one row of the first plane in bytes, 0 for no padding; the
    chroma rows of NV12 have the same stride, those of I420 half of it.
    """

    pixel_format: PixelFormat
    width: int
    height: int
    data: bytes | memoryview | NDArray[np.uint8]
    stride: int = 0


@dataclass(frozen=True, slots=True)
class Crops:
    """Faces that the client cut out itself: each image is one face, and detection is skipped."""

    images: tuple[EncodedImage | RawImage, ...]


Payload: TypeAlias = EncodedImage | RawImage | Crops
"""What a frame carries: one image, or faces that are cut out already."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stream, or one image of a single call.

    ``boxes`` float32 (N, 4) as (x0, y0, x1, y1) in pixels: faces that the client knows already. None lets the
    server detect; an array, even an empty one, skips detection.
    """

    frame_id: int
    payload: Payload
    capture_time_ns: int = 0
    boxes: NDArray[np.float32] | None = None
    neutral: bool = False
    """Every face in this frame is known to show its neutral expression; streams take it as the person's reference."""

    @property
    def payload_bytes(self) -> int:
        """How much memory the payload holds."""
        images = self.payload.images if isinstance(self.payload, Crops) else (self.payload,)
        return sum(image.data.nbytes if isinstance(image.data, np.ndarray) else len(image.data) for image in images)


@dataclass(frozen=True, slots=True)
class Detections:
    """Faces found in one image: ``xyxy`` float32 (N, 4) pixels, ``score`` float32 (N,) in [0, 1], and ``landmarks``
    float32 (N, 5, 2) pixels (eye on the image's left, eye on its right, nose, mouth corner left, mouth corner right)
    or None where the detector has none.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.xyxy)

    @classmethod
    def empty(cls) -> Detections:
        """No face."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    @classmethod
    def from_boxes(cls, xyxy: NDArray[np.float32]) -> Detections:
        """Boxes that a client sent: each counts as certain."""
        return cls(xyxy, np.ones(len(xyxy), np.float32))

    def select(self, index: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Detections:
        """The rows that ``index`` picks, as NumPy would."""
        landmarks = None if self.landmarks is None else self.landmarks[index]
        return Detections(self.xyxy[index], self.score[index], landmarks)


def _leader(probabilities: NDArray[np.float32], reserved: frozenset[int]) -> int:
    if not reserved:
        return int(probabilities.argmax())
    return max((i for i in range(len(probabilities)) if i not in reserved), key=lambda i: probabilities[i])


@dataclass(frozen=True, slots=True)
class HeadResult:
    """What one head of the model says of one face; ``probabilities`` float32 (K,) in the order of ``labels``."""

    name: str
    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    top: int
    """Index of the label that is told: the most probable one, or the last one while none leads clearly."""
    reserved: frozenset[int] = frozenset()
    """Labels that say 'not sure' and are never the top one."""
    raw_probabilities: NDArray[np.float32] | None = None
    """Before smoothing over time; None where nothing was smoothed."""

    @classmethod
    def of(
        cls, name: str, labels: tuple[str, ...], probabilities: NDArray[np.float32], reserved: frozenset[int]
    ) -> HeadResult:
        """A result whose top label is the most probable one that is not reserved."""
        return cls(name, labels, probabilities, _leader(probabilities, reserved), reserved)

    def with_probabilities(self, probabilities: NDArray[np.float32]) -> HeadResult:
        """The same head with other probabilities and their own top label."""
        return replace(self, probabilities=probabilities, top=self.leader(probabilities))

    def leader(self, probabilities: NDArray[np.float32]) -> int:
        """Index of the most probable label that is not reserved."""
        return _leader(probabilities, self.reserved)

    @property
    def label(self) -> str:
        """The label that is told."""
        return self.labels[self.top]

    @property
    def confidence(self) -> float:
        """Probability of :attr:`label`."""
        return float(self.probabilities[self.top])


@dataclass(frozen=True, slots=True)
class Face:
    """One face: ``box`` (x0, y0, x1, y1) in pixels of the upright frame, ``score`` of the detector in [0, 1].

    ``track_id`` is stable within a stream and 0 where nothing is tracked. ``heads`` come in the model's order, the
    emotion first.
    """

    box: tuple[float, float, float, float]
    score: float
    heads: tuple[HeadResult, ...]
    landmarks: NDArray[np.float32] | None = None
    track_id: int = 0

    @property
    def emotion(self) -> str:
        """Top label of the first head."""
        return self.heads[0].label

    @property
    def confidence(self) -> float:
        """Probability of :attr:`emotion`."""
        return self.heads[0].confidence

    @property
    def certainty(self) -> float:
        """Probability that the face can be read at all and shows :attr:`emotion`.

        :attr:`confidence` times what the head ``clarity`` gives to ``clear``; a model without that head is believed.
        """
        clear = (
            float(head.probabilities[head.labels.index(CLEAR)])
            for head in self.heads
            if head.name == CLARITY and CLEAR in head.labels
        )
        return self.confidence * next(clear, 1.0)

    @property
    def sure(self) -> bool:
        """False where :attr:`certainty` is below one half: "not sure" is then the better answer."""
        return self.certainty >= MIN_CERTAINTY

    @property
    def probabilities(self) -> dict[str, float]:
        """Label to probability of the first head."""
        head = self.heads[0]
        return dict(zip(head.labels, map(float, head.probabilities), strict=True))


class DropReason(Enum):
    """Why a frame was not classified although nothing was wrong with it."""

    SUPERSEDED = "superseded"
    OVERLOADED = "overloaded"
    DEADLINE = "deadline"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class FrameFault:
    """Why a frame has no faces: ``code`` is the ``kind`` of the error, ``message`` says field, expected, actual."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds that the frame spent in each stage on the server."""

    queue_ms: float = 0.0
    decode_ms: float = 0.0
    detect_ms: float = 0.0
    preprocess_ms: float = 0.0
    infer_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The one answer to one frame: ``fault``, ``dropped``, or ``faces`` (an empty tuple is a success)."""

    frame_id: int
    capture_time_ns: int = 0
    faces: tuple[Face, ...] = ()
    fault: FrameFault | None = None
    dropped: DropReason | None = None
    timings: Timings = field(default_factory=Timings)
    model_name: str = ""
    model_version: str = ""
    width: int = 0
    height: int = 0

    @property
    def ok(self) -> bool:
        """True where the frame was classified, with or without a face in it."""
        return self.fault is None and self.dropped is None


@dataclass(frozen=True)
class ModelDescription:
    """A model as its users see it."""

    name: str
    version: str
    description: str
    heads: Mapping[str, tuple[str, ...]]
    """Ordered labels by the name of the head, the emotion first."""
    input_width: int
    """px"""
    input_height: int
    """px"""
    input_color: str
    """``luma``, ``bgr`` or ``rgb``."""
    license: str
    trained_on: tuple[str, ...]
    metrics: Mapping[str, float]
    """Figure by ``<dataset>/<split>/<metric>``."""
    runs_on: str
    is_default: bool
    sha256: str
    """Of the weight file, lower-case hex."""
