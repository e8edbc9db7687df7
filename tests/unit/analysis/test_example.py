"""The notebook in examples/ runs from its first cell to its last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_notebook_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "examples/analyse.py"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("ferserve-*")
    assert {"faces.parquet", "timeline.png", "timeline.svg", "summary.json"} < {path.name for path in folder.iterdir()}
    (person,) = json.loads((folder / "summary.json").read_text("utf-8"))["persons"]
    assert (person["seconds"], person["frames"]) == (4.0, 100)
    assert person["shares"]["happiness"] > 0.9
    assert "Agreement(" in done.stdout
