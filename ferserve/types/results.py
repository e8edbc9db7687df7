"""Results: what a client gets back."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from ferserve.labels import CLARITY, CLEAR, MIN_CERTAINTY, MIN_FACE_SCORE
from ferserve.types.head_pose import HeadPose
from ferserve.types.value import Value, to_plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _leader(probabilities: NDArray[np.float32], reserved: frozenset[int]) -> int:
    if not reserved:
        try:
            return int(probabilities.argmax())
        except AttributeError:  # tuples, without NumPy; asking first would cost more on every frame
            pass
    return max((i for i in range(len(probabilities)) if i not in reserved), key=lambda i: probabilities[i])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HeadResult(Value):
    """The result of one head of the model for one face; ``probabilities`` float32 (K,) in the order of ``labels``.

    In streams :attr:`label` is steady: it changes only if another label leads clearly. :attr:`top` is the most probable
    label now. Without NumPy, as in a client-only install, arrays are tuples.
    """

    name: str
    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    label_index: int
    """Index of :attr:`label` in ``labels``."""
    reserved: frozenset[int] = frozenset()
    """Indices of labels that mean 'not sure'; they are never :attr:`label` or :attr:`top`.

    The result of a remote server knows only those that are more probable than :attr:`top`.
    """
    raw_probabilities: NDArray[np.float32] | None = None
    """float32 (K,) before smoothing over time; None if nothing was smoothed."""

    @classmethod
    def of(
        cls, name: str, labels: tuple[str, ...], probabilities: NDArray[np.float32], reserved: frozenset[int]
    ) -> HeadResult:
        """A result with the most probable label that is not reserved."""
        return cls(name, labels, probabilities, _leader(probabilities, reserved), reserved)

    def with_probabilities(self, probabilities: NDArray[np.float32]) -> HeadResult:
        """The same head with other probabilities (K,) and the most probable label."""
        return replace(self, probabilities=probabilities, label_index=self.leader(probabilities))

    def leader(self, probabilities: NDArray[np.float32]) -> int:
        """Index of the most probable label that is not reserved."""
        return _leader(probabilities, self.reserved)

    @property
    def label(self) -> str:
        """The steady label: in streams it keeps until another label leads clearly."""
        return self.labels[self.label_index]

    @property
    def confidence(self) -> float:
        """Probability of :attr:`label`, in [0, 1]."""
        return float(self.probabilities[self.label_index])

    @property
    def top(self) -> str:
        """The most probable label now, reserved ones excluded."""
        return self.labels[self.leader(self.probabilities)]

    @property
    def top_confidence(self) -> float:
        """Probability of :attr:`top`, in [0, 1]."""
        return float(self.probabilities[self.leader(self.probabilities)])

    def to_dict(self) -> dict[str, Any]:
        """The result in the types of JSON, with probabilities by label."""
        raw = self.raw_probabilities
        return {
            "name": self.name,
            "label": self.label,
            "confidence": self.confidence,
            "top": self.top,
            "top_confidence": self.top_confidence,
            "probabilities": dict(zip(self.labels, map(float, self.probabilities), strict=True)),
            "raw_probabilities": None if raw is None else dict(zip(self.labels, map(float, raw), strict=True)),
        }

    def __repr__(self) -> str:
        return f"HeadResult({self.name}: {self.label} {self.confidence:.2f})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Face(Value):
    """One face: ``box`` (x0, y0, x1, y1) in pixels of the upright frame, ``score`` of the detector in [0, 1].

    ``heads`` come in the model's order, the emotion first. ``landmarks`` float32 (5, 2) in pixels of the upright frame,
    or None if the detector has none; tuples without NumPy. ``track_id`` is stable within a stream, 0 without tracking.
    """

    box: tuple[float, float, float, float]
    score: float
    heads: tuple[HeadResult, ...]
    landmarks: NDArray[np.float32] | None = None
    track_id: int = 0
    landmarks_age_ms: float = 0.0
    """In streams: how long before this frame the detector saw the landmarks; 0: in this frame. In between they move and
    grow with the box, so that :attr:`head_pose` is as old."""
    head_pose: HeadPose | None = None
    """Which way the head looks, by its landmarks; None without them, and if they show no face from the front.
    docs/results.md says how far it is off."""

    def head(self, name: str) -> HeadResult:
        """The head of that name, such as ``gender``; raises :class:`KeyError` that lists the names."""
        for head in self.heads:
            if head.name == name:
                return head
        raise KeyError(f"head must be one of {', '.join(head.name for head in self.heads)}, got {name!r}")

    @property
    def emotion(self) -> str:
        """Label of the first head. In streams it is steady: it changes only if another emotion leads clearly."""
        return self.heads[0].label

    @property
    def confidence(self) -> float:
        """Probability of :attr:`emotion`, in [0, 1]."""
        return self.heads[0].confidence

    @property
    def top(self) -> str:
        """The most probable emotion now, which :attr:`emotion` may not have followed yet."""
        return self.heads[0].top

    @property
    def top_confidence(self) -> float:
        """Probability of :attr:`top`, in [0, 1]."""
        return self.heads[0].top_confidence

    @property
    def certainty(self) -> float:
        """Probability that the face can be read at all and shows :attr:`emotion`, in [0, 1].

        It is :attr:`confidence` times the probability of ``clear`` in the head ``clarity``, or 1 without that head.
        """
        for head in self.heads:
            if head.name == CLARITY and CLEAR in head.labels:
                return self.confidence * float(head.probabilities[head.labels.index(CLEAR)])
        return self.confidence

    @property
    def sure(self) -> bool:
        """Whether the box surely shows a face (:attr:`score` of at least 0.65) and :attr:`certainty` is at least one
        half; otherwise "not sure" is the better answer.
        """
        return self.score >= MIN_FACE_SCORE and self.certainty >= MIN_CERTAINTY

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability by label of the first head."""
        head = self.heads[0]
        return dict(zip(head.labels, map(float, head.probabilities), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """The face in the types of JSON."""
        return {
            "track_id": self.track_id,
            "box": list(self.box),
            "score": self.score,
            "landmarks": to_plain(self.landmarks),
            "landmarks_age_ms": self.landmarks_age_ms,
            "head_pose": to_plain(self.head_pose),
            "emotion": self.emotion,
            "confidence": self.confidence,
            "top": self.top,
            "top_confidence": self.top_confidence,
            "certainty": self.certainty,
            "sure": self.sure,
            "heads": [head.to_dict() for head in self.heads],
        }

    def __repr__(self) -> str:
        track = f"#{self.track_id} " if self.track_id else ""
        x0, y0, x1, y1 = self.box
        return f"Face({track}{self.emotion} {self.confidence:.2f} at {x0:.0f},{y0:.0f},{x1:.0f},{y1:.0f})"


class DropReason(Enum):
    """Why a valid frame was not classified."""

    SUPERSEDED = "superseded"
    OVERLOADED = "overloaded"
    DEADLINE = "deadline"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class FrameFault:
    """Why a frame could not be classified: ``code`` is the ``kind`` of the error, ``message`` its text."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds that the frame spent in each stage on the server, and in all."""

    queue_ms: float = 0.0
    decode_ms: float = 0.0
    detect_ms: float = 0.0
    preprocess_ms: float = 0.0
    infer_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FrameResult(Value):
    """The one result of one frame: ``fault``, ``dropped``, or ``faces`` (an empty tuple is a success).

    ``width`` and ``height`` are of the upright frame in px, 0 for crops, faults and drops.
    """

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
    degraded: str = ""
    """What is wrong with the image file although every pixel is there, in the decoder's words, or which part of it was
    taken: its first frame or page, or the rows that a truncated JPEG has; empty otherwise."""
    tracks_lost: bool = False
    """Whether the stream came back without its tracks just before this frame, since the server was started again or no
    longer had them: all faces have new track ids, and smoothing and calibration start afresh. Clients set it."""

    @property
    def ok(self) -> bool:
        """Whether the frame was classified, with or without a face in it."""
        return self.fault is None and self.dropped is None

    def to_dict(self) -> dict[str, Any]:
        """The result in the types of JSON; ``fault`` and ``dropped`` are None for a classified frame."""
        plain: dict[str, Any] = {
            f.name: to_plain(getattr(self, f.name)) for f in fields(self) if f.name not in ("faces", "timings")
        }
        plain["faces"] = [face.to_dict() for face in self.faces]
        plain["timings"] = to_plain(self.timings)
        return plain

    def __repr__(self) -> str:
        if self.fault is not None:
            outcome = f"fault {self.fault.code}: {' '.join(self.fault.message.split())}"
        elif self.dropped is not None:
            outcome = f"dropped, {self.dropped.value}"
        else:
            outcome = f"[{', '.join(map(repr, self.faces))}]" if self.faces else "no face"
        return f"FrameResult({self.frame_id}: {outcome})"
