"""Ordered, named label sets. A vector of probabilities means nothing without its label set."""

from __future__ import annotations

from typing import Final

FERPLUS: Final = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""FER+ emotions in the order of its vote columns (Barsoum et al., ICMI 2016, doi:10.1145/2993148.2993165)."""

FER2013: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013 emotions in the order of its integer labels 0 to 6 (Goodfellow et al., 2013, arXiv:1307.0414)."""

FER2013_NAME: Final = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
}
"""FER2013's name for each label of FER+; it has none for contempt."""

LABEL_SETS: Final[dict[str, tuple[str, ...]]] = {"ferplus": FERPLUS, "fer2013": FER2013}
"""Label sets by name."""

CLARITY: Final = "clarity"
"""Name of the head that says whether a face can be read at all."""

CLEAR: Final = "clear"
"""The ``clarity`` label of readable faces: FER+'s taggers chose neither 'unknown' nor 'not a face'."""

MIN_CERTAINTY: Final = 0.5
"""Least certainty of an emotion; below it "not sure" is the better answer. FER+ too calls a face unknown if no emotion
has the majority."""

MIN_FACE_SCORE: Final = 0.65
"""Least detector score of a box that surely shows a face; no emotion of a doubtful box is sure."""
