"""Archives of short videos, and what their parts must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2

from ferserve.cluster.annotate import annotate_archive
from ferserve.cluster.job import ClusterJob, FileReport
from tests.builders import scene

ROOT = Path(__file__).parents[2]


def clip(path: Path, frames: int = 6, begin: float = 0.0) -> Path:
    """The astronaut as a video of ``frames`` frames, which begins ``begin`` s into its movement."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (320, 240))
    for number in range(frames):
        writer.write(scene(begin + number / 25, 320, 240, 0.5))
    writer.release()
    return path


def archive(folder: Path, clips: int, frames: int = 6) -> Path:
    """``clips`` different videos in subfolders of ``folder``."""
    for number in range(clips):
        clip(folder / f"cam{number % 3}" / f"{number:03}.avi", frames, number)
    return folder


def alone(source: Path | str, out: Path | str, **job: object) -> dict[str, FileReport]:
    """Annotate in this process; the reports by name."""
    _, reports = annotate_archive(ClusterJob(str(source), str(out), **job), None, print)  # type: ignore[arg-type]
    return {report.name: report for report in reports}


def parts(out: Path) -> dict[str, bytes]:
    """The bytes of all files under ``out``, hidden ones included."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def command(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
    """``ferserve cluster annotate`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ferserve", "cluster", "annotate", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
