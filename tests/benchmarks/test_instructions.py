"""What :mod:`tests.benchmarks.instructions` counts does what it says; valgrind is not needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.instructions import FROM_PROTO, ROOT, TO_PROTO, WORKLOAD, frames_of_scenarios, write_messages
from tests.tiny_models import write_brightness_model


@pytest.mark.parametrize("name", frames_of_scenarios())
def test_the_workload_answers_every_frame_with_its_face(name: str, tmp_path: Path) -> None:
    write_brightness_model(tmp_path / "brightness.onnx")
    messages = tmp_path / "messages"
    write_messages(messages, frames_of_scenarios()[name], 3)
    command = [sys.executable, str(WORKLOAD), str(messages), str(tmp_path), FROM_PROTO, TO_PROTO]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "3 frames\n"
