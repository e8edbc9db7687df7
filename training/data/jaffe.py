"""JAFFE: 213 grey pictures of 10 Japanese women posing seven expressions (Lyons et al. 1998, 2021).

``KA.AN1.39.tiff``: subject KA, expression AN (anger), first pose, picture 39. 256x256 TIFF, some with a palette.
"""

from __future__ import annotations

import re
from pathlib import Path

from ferserve.labels import FER2013
from training.data.samples import Samples, Terms, image_files
from training.errors import DataError

TERMS = Terms(
    name="JAFFE",
    licence="non-commercial research only; the pictures must not be passed on",
    obtain="zenodo.org/records/14974867, on request to its authors",
)
NAME = re.compile(r"(?P<subject>[A-Z]{2})\.(?P<emotion>[A-Z]{2})(?P<pose>\d+)\.(?P<picture>\d+)")
EMOTIONS = {
    "AN": "angry",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happy",
    "SA": "sad",
    "SU": "surprise",
    "NE": "neutral",
}


def load_jaffe(path: Path) -> Samples:
    """Read the folder of TIFF files; raises :class:`DataError` that names the file at fault."""
    files = image_files(path)
    if not files:
        raise DataError(f"{path}: folder must hold JAFFE's KA.AN1.39.tiff and so on, got none; {TERMS.obtain}")
    subjects, targets = [], []
    for file in files:
        match = NAME.fullmatch(file.stem)
        if match is None or match["emotion"] not in EMOTIONS:
            wanted = f"KA.AN1.39.tiff (expressions {', '.join(EMOTIONS)})"
            raise DataError(f"{file}: name must be like {wanted}, got {file.name}; correct it, or move it elsewhere")
        subjects.append(match["subject"])
        targets.append(FER2013.index(EMOTIONS[match["emotion"]]))
    return Samples.of_files(TERMS, files, {"emotion": targets}, {"emotion": FER2013}, subject=subjects)
