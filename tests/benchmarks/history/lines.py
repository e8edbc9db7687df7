"""The files of the history: one per class of machines, one line per measured revision."""

from __future__ import annotations

import datetime
import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.record import SCHEMA
from tests.benchmarks.trees import ROOT

FOLDER = ROOT / "benchmarks" / "history"
KIND = "history"
Line = dict[str, Any]


@dataclass
class History:
    """``classes`` maps a class of machines to its lines, oldest commit first; ``refused`` says what was left out."""

    classes: dict[str, list[Line]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def machine_class(machine: Mapping[str, str]) -> str:
    """CPU model, processors and system: times of two classes are never compared."""
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"


def file_of(folder: Path, machine: Mapping[str, str]) -> Path:
    """Where the lines of this machine's class are."""
    return folder / (re.sub(r"[^a-z0-9_]+", "-", machine_class(machine).lower()).strip("-") + ".jsonl")


def append(folder: Path, line: Line) -> Path:
    """Add a line as a whole: if the disk is full, the file is as it was before. Raises :class:`OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = file_of(folder, line["machine"])
    with path.open("ab") as file:
        before = file.tell()
        started = "\n" if before and path.read_bytes()[-1:] != b"\n" else ""
        try:
            file.write((started + json.dumps(line) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            os.truncate(path, before)
            raise
    return path


def read_history(folder: Path) -> History:
    """Every line that can be read. If a revision was measured twice, the last line counts."""
    history = History()
    found: dict[str, dict[str, Line]] = defaultdict(dict)
    for path in sorted(folder.glob("*.jsonl")):
        for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
            line = _parse(text, path, number, history.refused)
            if line:
                found[machine_class(line["machine"])][line["revision"]] = line
    history.classes = {name: sorted(lines.values(), key=_committed) for name, lines in sorted(found.items())}
    return history


def _committed(line: Line) -> datetime.datetime:
    return datetime.datetime.fromisoformat(line["committed"])


def _parse(text: str, path: Path, number: int, refused: list[str]) -> Line | None:
    where = f"{path.name}:{number}"
    try:
        line: Line = json.loads(text)
        got = (line["schema"], line["kind"])
    except (ValueError, KeyError, TypeError):
        refused.append(f"{where} must be a line of JSON with schema and kind, got {text[:40]!r}; take it out")
        return None
    if got != (SCHEMA, KIND):
        refused.append(
            f"{where} must be {KIND!r} of schema {SCHEMA}, got {got[1]!r} of schema {got[0]!r}; measure anew"
        )
        return None
    if file_of(path.parent, line["machine"]) != path:
        refused.append(f"{where} is of another class of machines, {machine_class(line['machine'])}: shown among those")
    return line
