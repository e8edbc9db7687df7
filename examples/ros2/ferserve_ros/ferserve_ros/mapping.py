"""What a result says, in the words of ROS4HRI: pure functions on plain values, without ROS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Head(Protocol):
    """A head of a result, as ``ferserve.HeadResult``."""

    name: str
    labels: tuple[str, ...]
    probabilities: Sequence[float]


class Face(Protocol):
    """A face of a result, as ``ferserve.Face``."""

    emotion: str
    certainty: float
    heads: tuple[Head, ...]


EXPRESSIONS: Mapping[str, str] = {
    "neutral": "neutral",
    "happiness": "happy",
    "happy": "happy",
    "joy": "happy",
    "sadness": "sad",
    "sad": "sad",
    "surprise": "surprised",
    "surprised": "surprised",
    "anger": "angry",
    "angry": "angry",
    "disgust": "disgusted",
    "disgusted": "disgusted",
    "fear": "scared",
    "fearful": "scared",
}
"""Constants of ``hri_msgs/Expression`` by label. Contempt has none there: its messages have an empty expression, and
speak by valence and arousal alone."""

AFFECT: Mapping[str, tuple[float, float]] = {
    "neutral": (0.0, 0.0),
    "happy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "surprised": (0.40, 0.67),
    "angry": (-0.51, 0.59),
    "disgusted": (-0.60, 0.35),
    "scared": (-0.64, 0.60),
    "contempt": (-0.23, 0.31),
}
"""Valence and arousal of each expression, in [-1, 1]: mean ratings of pleasure and arousal of the words happy, sad,
surprised, angry, disgusted, fearful and contempt (Russell and Mehrabian, "Evidence for a three-factor theory of
emotions", Journal of Research in Personality 11, 1977). Neutral is the origin of their axes."""


@dataclass(frozen=True)
class Expression:
    """The fields of ``hri_msgs/Expression``: valence and arousal in [-1, 1], NaN if unknown; confidence in [0, 1]."""

    expression: str
    valence: float
    arousal: float
    confidence: float


def expression_of(face: Face) -> Expression:
    """What ``face`` shows. The confidence is the probability that it can be read and shows the expression.

    Valence and arousal are the model's own if one of its heads has them, otherwise the mean of :data:`AFFECT` by the
    probabilities of the emotions.
    """
    measured = next((head for head in face.heads if {"valence", "arousal"} <= set(head.labels)), None)
    if measured is not None:
        values = dict(zip(measured.labels, map(float, measured.probabilities), strict=True))
        valence, arousal = values["valence"], values["arousal"]
    else:
        valence, arousal = mean_affect(zip(face.heads[0].labels, map(float, face.heads[0].probabilities), strict=True))
    return Expression(
        EXPRESSIONS.get(face.emotion, ""),
        _within(-1, valence, 1),
        _within(-1, arousal, 1),
        _within(0, face.certainty, 1),
    )


def mean_affect(probabilities: Iterable[tuple[str, float]]) -> tuple[float, float]:
    """Mean valence and arousal over labels and their probabilities; NaN if no label is known."""
    known = [(AFFECT[word], p) for label, p in probabilities if (word := EXPRESSIONS.get(label, label)) in AFFECT]
    total = sum(p for _, p in known)
    if not total > 0:
        return math.nan, math.nan
    return sum(a[0] * p for a, p in known) / total, sum(a[1] * p for a, p in known) / total


def normalized_box(box: Sequence[float], width: int, height: int) -> tuple[float, float, float, float]:
    """A box (x0, y0, x1, y1) px as shares of the picture, in [0, 1]."""
    x0, y0, x1, y1 = box
    return (
        *(_within(0, x0 / width, 1), _within(0, y0 / height, 1)),
        *(_within(0, x1 / width, 1), _within(0, y1 / height, 1)),
    )


def pixel_box(box: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """A box (x0, y0, x1, y1) px as offset x, offset y, width and height in whole px within the picture."""
    x0, x1 = (round(_within(0, x, width)) for x in (box[0], box[2]))
    y0, y1 = (round(_within(0, y, height)) for y in (box[1], box[3]))
    return x0, y0, x1 - x0, y1 - y0


def face_id(stream: str, track_id: int) -> str:
    """The id of a face: ``stream`` is new for each stream, track ids are never used twice in one.

    It has letters and digits alone, a letter first, so that it may be a part of a topic's name.
    """
    return f"{stream}{track_id}"


POINTS = (68, 69, 30, 48, 54)
"""Codes of ``hri_msgs/FacialLandmarks`` for the points of a result, in their order: the eye on the left of the picture
is the person's right one. RIGHT_PUPIL, LEFT_PUPIL, NOSE, MOUTH_OUTER_RIGHT, MOUTH_OUTER_LEFT."""


def _within(low: float, value: float, high: float) -> float:
    return value if math.isnan(value) else float(min(max(value, low), high))
