"""CK+: 593 grey sequences of 123 people from neutral to the peak of an expression (Lucey et al. 2010).

``cohn-kanade-images/S005/001/S005_001_00000011.png`` and, for the 327 labelled sequences,
``Emotion/S005/001/S005_001_00000011_emotion.txt`` with one number, such as ``3.0000000e+00``.
"""

from __future__ import annotations

from pathlib import Path

from ferserve.labels import FERPLUS
from training.data.samples import Samples, Terms, image_files
from training.errors import DataError

TERMS = Terms(
    name="CK+",
    licence="non-commercial research only, after a signed agreement; few subjects may be shown",
    obtain="jeffcohn.net/Resources, on request",
)
CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""Emotions by their number in the label files."""
PEAK_FRAMES = 3
"""The last frames of a sequence, which the literature takes as its expression; the first one is neutral."""


def load_ckplus(path: Path) -> Samples:
    """Peak frames and the neutral first frame of each labelled sequence; errors name the file at fault."""
    labelled = sorted((path / "Emotion").glob("*/*/*_emotion.txt"))
    if not labelled:
        raise DataError(f"{path}: folder must hold Emotion/S005/001/*_emotion.txt, got none; {TERMS.obtain}")
    files, targets, subjects = [], [], []
    for label_file in labelled:
        subject, sequence = label_file.parts[-3:-1]
        frames = image_files(path / "cohn-kanade-images" / subject / sequence)
        if len(frames) <= PEAK_FRAMES:
            folder = path / "cohn-kanade-images" / subject / sequence
            raise DataError(f"{folder}: sequence must have over {PEAK_FRAMES} frames, got {len(frames)}")
        emotion = _emotion(label_file)
        for frame, label in ((frames[0], "neutral"), *((frame, emotion) for frame in frames[-PEAK_FRAMES:])):
            files.append(frame)
            targets.append(FERPLUS.index(label))
            subjects.append(subject)
    return Samples.of_files(TERMS, files, {"emotion": targets}, {"emotion": FERPLUS}, subject=subjects)


def _emotion(label_file: Path) -> str:
    text = label_file.read_text().strip()
    try:
        code = int(float(text))
    except ValueError:
        code = -1
    if not 0 <= code < len(CODES):
        raise DataError(f"{label_file}:1: label must be a number from 0 to {len(CODES) - 1}, got {text!r}")
    return CODES[code]
