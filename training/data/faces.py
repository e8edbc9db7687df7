"""FACES: 2,052 colour pictures of 171 people, six expressions, three age groups (Ebner et al. 2010).

``004_o_m_a_b.jpg``: person 004, age (y, m, o), gender (f, m), expression (a, d, f, h, n, s), picture set (a, b).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ferserve.errors import ConfigError
from training.data.samples import Samples, Terms, image_files
from training.errors import DataError
from training.recipe import RunOptions

TERMS = Terms(
    name="FACES",
    licence="scientific research only, after registration; most pictures must not be published",
    obtain="faces.mpdl.mpg.de (Max Planck Institute for Human Development)",
)
NAME = re.compile(r"(?P<person>\d{3})_(?P<age_group>[ymo])_(?P<gender>[fm])_(?P<emotion>[adfhns])_(?P<set>[ab])")
CODES = {
    "emotion": {"a": "angry", "d": "disgust", "f": "fear", "h": "happy", "n": "neutral", "s": "sad"},
    "age_group": {"y": "young", "m": "middle_aged", "o": "older"},
    "gender": {"f": "female", "m": "male"},
}
"""Letter to label of each head, in the order of the head's labels."""


def load_faces(path: Path) -> Samples:
    """Read the folder of JPEG files as three heads; raises :class:`DataError` that names the file at fault."""
    files = image_files(path)
    if not files:
        raise DataError(f"{path}: folder must hold FACES' 004_o_m_a_b.jpg and so on, got none; {TERMS.obtain}")
    persons: list[str] = []
    targets: dict[str, list[int]] = {head: [] for head in CODES}
    for file in files:
        match = NAME.fullmatch(file.stem)
        if match is None:
            raise DataError(f"{file}: {_fault(file.stem)}; correct the name, or move the file elsewhere")
        persons.append(match["person"])
        for head, codes in CODES.items():
            targets[head].append(list(codes).index(match[head]))
    labels = {head: tuple(codes.values()) for head, codes in CODES.items()}
    return Samples.of_files(TERMS, files, targets, labels, subject=persons)


def _fault(stem: str) -> str:
    """What is wrong with a name: one of its letters if it has the form, else the form."""
    parts = stem.split("_")
    if len(parts) == 5 and re.fullmatch(r"\d{3}", parts[0]):
        letters = ("age_group", *CODES["age_group"]), ("gender", *CODES["gender"]), ("emotion", *CODES["emotion"])
        for part, (head, *allowed) in zip(parts[1:4], letters, strict=True):
            if part not in allowed:
                return f"{head} must be one of {', '.join(allowed)} in a name like 004_o_m_a_b.jpg, got {part!r}"
    return f"name must be like 004_o_m_a_b.jpg, got {stem!r}"


def load_task(options: RunOptions) -> Samples:
    """FACES with the heads that ``--task`` names, all three by default."""
    samples = load_faces(options.data)
    if options.task in (None, "all"):
        return samples
    if options.task not in CODES:
        raise ConfigError(f"task must be one of {', '.join(CODES)}, all, got {options.task!r}")
    task = options.task
    return replace(samples, targets={task: samples.targets[task]}, labels={task: samples.labels[task]})
