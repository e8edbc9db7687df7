"""An engine writes no telemetry to the user's home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.tiny_models import write_brightness_model

_RUN = """
import sys
from ferserve.config import EngineConfig
from ferserve.engine import Engine
with Engine(EngineConfig(model=sys.argv[1], threads=1, detector="none")):
    pass
"""


def test_an_engine_leaves_the_home_directory_alone(tmp_path: Path) -> None:
    """ONNX Runtime would open a database of events there."""
    model = write_brightness_model(tmp_path / "brightness.onnx")
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    subprocess.run([sys.executable, "-c", _RUN, str(model)], check=True, env={**kept, "HOME": str(home)})
    assert list(home.rglob("*")) == []
