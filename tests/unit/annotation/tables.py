"""What the files of an output hold, read without ferserve."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import pytest


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of ``faces.csv``."""
    with open(folder / "faces.csv", newline="") as file:
        return list(csv.DictReader(file))


def times_s(folder: Path) -> list[float]:
    """The time of each frame that was looked at."""
    by_frame = {row["frame"]: float(row["time_s"]) for row in rows(folder) if row["outcome"] in ("face", "no_face")}
    return list(by_frame.values())


def probed(path: Path, entries: str, stream: str = "v:0") -> list[str]:
    """What ``ffprobe`` says; skips without it."""
    if shutil.which("ffprobe") is None:
        pytest.skip("needs ffprobe: apt-get install ffmpeg")
    command = ["ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", entries, "-of", "json", path]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    (kind, items) = next(iter((kind, items) for kind, items in found.items() if items))
    return [next(iter(item.values())) for item in items] if kind else []


def frame_times_s(path: Path) -> list[float]:
    """The times of the frames of a video, as PyAV decodes them."""
    with av.open(str(path), "r") as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]  # type: ignore[operator]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by its path in ``folder``."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
