"""The node's stream with what ferserve-client needs, and nothing else of ferserve's packages."""

from __future__ import annotations

import subprocess
import sys

from tests.ros2.conftest import PACKAGE

PROGRAM = """
import queue, sys, types
for absent in "av cv2 numpy onnxruntime rich simplejpeg typer".split():
    sys.modules[absent] = None
sys.path.insert(0, sys.argv[2])
import ferserve
from ferserve_ros.pictures import payload_of
from ferserve_ros.stream_worker import Picture, StreamWorker
image = types.SimpleNamespace(encoding="rgba8", width=64, height=48, step=256, data=bytes(256 * 48))
answers = queue.Queue()
worker = StreamWorker(lambda: ferserve.Client(sys.argv[1]), ferserve.StreamOptions(), answers.put, answers.put)
worker.start()
worker.send(Picture(payload_of(image), "header", 7))
answer = answers.get(timeout=30)
worker.stop()
print(answer.header, len(answer.stream), answer.result.ok, answer.result.width, answer.result.capture_time_ns)
"""


def test_the_stream_needs_neither_numpy_nor_the_server(served: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, served, str(PACKAGE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["header", "5", "True", "64", "7"]
