"""A client in an environment that has only what a client needs."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
for absent in ("av", "cv2", "onnxruntime", "rich", "typer"):
    sys.modules[absent] = None
import numpy as np
import ferserve

bgr = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
for encoding in ("raw", "jpeg"):
    with ferserve.Client(sys.argv[1], encoding=encoding) as client:
        results = [client.classify(bgr), *client.stream([bgr, bgr[:, :, 0]])]
        print(encoding, [(r.width, r.height, r.fault) for r in results])
"""


def test_a_client_sends_arrays_without_opencv_onnx_runtime_or_the_command_line(served: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, served]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    answers = "[" + ", ".join(["(64, 48, None)"] * 3) + "]"
    assert done.stdout.splitlines() == [f"raw {answers}", f"jpeg {answers}"]
