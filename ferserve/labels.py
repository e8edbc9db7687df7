"""Ordered, named label sets. A probability vector means nothing without the set that orders it."""

from __future__ import annotations

from typing import Final

FERPLUS: Final = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""FER+ emotions in the order of its vote columns (Barsoum et al., ICMI 2016, doi:10.1145/2993148.2993165)."""

FER2013: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013 emotions in the order of its integer labels 0 to 6 (Goodfellow et al., 2013, arXiv:1307.0414)."""

LABEL_SETS: Final[dict[str, tuple[str, ...]]] = {"ferplus": FERPLUS, "fer2013": FER2013}
"""Label sets by the name that a model head may give as its ``label_set``."""

CLARITY: Final = "clarity"
"""Name of the head that says whether a face can be read at all."""

CLEAR: Final = "clear"
"""Its label for faces that can; FER+'s taggers chose neither 'unknown' nor 'not a face'."""

SURE: Final = 0.5
"""Least probability of an emotion, and of a face that can be read, below which "not sure" is the better answer: FER+
calls a face unknown, too, where no emotion has the majority."""
