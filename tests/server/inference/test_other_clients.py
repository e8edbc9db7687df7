"""Clients that are not in PyPI's test extra: nghttp2's load generator, and KServe's own client."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from ferserve.engine import Engine
from ferserve.inference import service_pb2 as pb
from ferserve.inference import service_pb2_grpc
from tests.server.inference.conftest import Requests
from tests.serving.streams import astronaut_jpeg

ROWS = (np.arange(3 * 64, dtype=np.float32) / 250).reshape(3, 1, 8, 8)
CALLS = 400


def _successes(address: str) -> Any:
    with grpc.insecure_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        (model,) = stub.ModelStatistics(pb.ModelStatisticsRequest(name="other")).model_stats
        return model.inference_stats.success.count


@pytest.mark.skipif(shutil.which("h2load") is None, reason="needs h2load: apt-get install nghttp2-client")
def test_h2load_drives_model_infer(served: str, tmp_path: Path) -> None:
    body = Requests.tensor(ROWS, model="other").SerializeToString()
    (tmp_path / "body").write_bytes(b"\0" + len(body).to_bytes(4, "big") + body)
    before = _successes(served)
    command = ["h2load", "-n", str(CALLS), "-c", "4", "-m", "8", "-d", str(tmp_path / "body")]
    command += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    command += [f"http://{served}/inference.GRPCInferenceService/ModelInfer"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    assert re.search(f"{CALLS} succeeded, 0 failed, 0 errored, 0 timeout", done.stdout), done.stdout
    assert _successes(served) - before == CALLS  # to HTTP an error of gRPC is a success, too


KSERVE = os.environ.get("FERSERVE_KSERVE_PYTHON", "")


@pytest.mark.skipif(not KSERVE, reason="FERSERVE_KSERVE_PYTHON must name a Python that has KServe (pip install kserve)")
def test_kserves_client_gets_the_same_numbers(served: str, engine: Engine, tmp_path: Path) -> None:
    """KServe brings a hundred packages, and wants protobuf 6."""
    (tmp_path / "photo.jpg").write_bytes(astronaut_jpeg())
    program = Path(__file__).with_name("kserve_session.py")
    command = [KSERVE, "-W", "ignore", str(program), served, str(tmp_path / "photo.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["ready"] == [True] * 3
    (expected,) = engine.infer("brightness", ROWS)
    for form in ("raw", "typed"):
        np.testing.assert_array_equal(np.float32(said[form]["emotion"]), expected)
    assert said["frame"] == {"labels": ["bright"]}
