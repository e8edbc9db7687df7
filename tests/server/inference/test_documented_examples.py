"""The examples of docs/inference-protocol.md, as they stand there but for the address."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.serving.streams import astronaut_jpeg

PAGE = Path(__file__).parents[3] / "docs" / "inference-protocol.md"


def test_every_example_runs(served: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(astronaut_jpeg())
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    assert len(examples) == 3
    program = "\nprint('--')\n".join(examples).replace("localhost:50051", served)
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    picture, stream, tensor = done.stdout.split("--\n")
    assert picture.startswith("happiness [181.")
    assert stream == "[1]\n" * 3
    assert re.fullmatch(r"\[\[b'0\.\d+:\d:\w+' b'0\.\d+:\d:\w+'\]\n \[.*\]\]\n", tensor), tensor
