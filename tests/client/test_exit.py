"""A program may end while a stream of it is open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import builders

PROGRAM = """
import sys, ferserve
client = ferserve.Client(sys.argv[1])
results = client.stream(sys.argv[2])
print(next(results).frame_id)
"""


def test_a_program_that_ends_with_a_video_open_ends_well(served: str, tmp_path: Path) -> None:
    clip = builders.video_file(tmp_path / "clip.avi", frames=40)
    command = [sys.executable, "-c", PROGRAM, served, str(clip)]
    done = [subprocess.run(command, capture_output=True, text=True, timeout=40) for _ in range(6)]
    assert [(run.returncode, run.stdout) for run in done] == [(0, "1\n")] * 6
