"""A server with PyPI's onnxruntime-gpu on a machine without a GPU; ``make test-gpu-wheel`` brings the wheel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from ferserve.meters.gpu import find_meters
from tests.serving.process import ServerProcess

pytestmark = [
    pytest.mark.skipif(
        "CUDAExecutionProvider" not in onnxruntime.get_available_providers(),
        reason="needs the wheel onnxruntime-gpu, of 256 MB: make test-gpu-wheel",
    ),
    pytest.mark.skipif(bool(find_meters()), reason="this machine has a GPU"),
]
SERVE = [sys.executable, "-W", "error", "-m", "ferserve", "serve", "--port", "0", "--workers", "1", "--device"]


def test_auto_serves_int8_on_the_processor_and_says_why_in_one_line() -> None:
    with ServerProcess([*SERVE, "auto"]) as server:
        assert "emotion-lite" in server.ready_line
        assert "CPUExecutionProvider, not CUDAExecutionProvider: " in server.ready_line
        flags = Path("/proc/cpuinfo").read_text()
        assert ("emotion-lite-int8" in server.ready_line) is ("vnni" in flags)
        server.process.terminate()
        _, errors = server.rest()
    (line,) = [line for line in errors.splitlines() if "CUDAExecutionProvider" in line]
    assert "cannot use CUDAExecutionProvider: " in line
    assert "the CPU runs the models. Set engine.device to cpu if that is meant" in line
    assert "onnxruntime::" not in errors
    assert ".cc:" not in errors


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_was_named_is_refused_in_one_sentence(device: str) -> None:
    done = subprocess.run([*SERVE, device], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert done.stdout == ""
    *before, line = done.stderr.splitlines()
    assert all("TensorRT builds an engine" in each for each in before)
    assert "cannot open shared object file" in line
    assert line.startswith(f"ferserve: engine.device must be one that ONNX Runtime can use here, got '{device}'")
    assert line.endswith("or choose auto or cpu")
