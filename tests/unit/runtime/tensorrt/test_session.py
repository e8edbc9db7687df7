"""The native TensorRT backend on a fake GPU: numbers, batches, threads, and what goes wrong."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from ferserve.errors import ConfigError, DeviceError, ModelSpecError
from ferserve.models.store import BUNDLED_DIR
from ferserve.runtime import auto, backends, open_session
from ferserve.runtime.base import trial_feeds
from ferserve.runtime.tensorrt.cuda import Cuda
from ferserve.runtime.tensorrt.session import MAX_ROWS, TensorRtSession
from tests.tiny_models import write_brightness_model
from tests.unit.runtime.tensorrt.fake_tensorrt import install
from tests.unit.runtime.tensorrt.machine import Machine

FLOAT, INT8 = BUNDLED_DIR / "emotion-lite.onnx", BUNDLED_DIR / "emotion-lite-int8.onnx"


def faces(rows: int) -> dict[str, np.ndarray]:
    """Rows of smooth patterns, each its own."""
    ramp = np.linspace(-1, 1, 48, dtype=np.float32)
    picture = ramp[:, None] * ramp[None, :]
    return {"input": np.stack([np.sin(picture * (3 + row))[None] for row in range(rows)]).astype(np.float32)}


def test_answers_are_the_cpus_in_half_precision(machine: Machine, tmp_path: Path) -> None:
    session = open_session(FLOAT, "tensorrt-native", tmp_path)
    assert session.runs_on == "TensorRT 10.16.1 FP16 on Orin"
    assert not session.uses_cpu
    cpu = open_session(FLOAT, "cpu")
    assert [info.name for info in session.outputs] == [info.name for info in cpu.outputs]
    for rows in (1, 3, 4):
        for wanted, got in zip(cpu.run(faces(rows)), session.run(faces(rows)), strict=True):
            assert got.shape == wanted.shape
            np.testing.assert_allclose(got, wanted, atol=5e-3)


def test_floats_stay_floats_if_asked(machine: Machine, tmp_path: Path) -> None:
    session = TensorRtSession(FLOAT, tmp_path, half=False)
    for wanted, got in zip(open_session(FLOAT, "cpu").run(faces(2)), session.run(faces(2)), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_a_quantised_model_becomes_signed_and_keeps_its_answers(machine: Machine, tmp_path: Path) -> None:
    session = open_session(INT8, "tensorrt-native", tmp_path)
    assert "INT8" in session.runs_on
    for wanted, got in zip(open_session(INT8, "cpu").run(faces(8)), session.run(faces(8)), strict=True):
        assert float(np.abs(wanted - got).mean()) < 0.02


def test_batches_are_recorded_once_per_size(machine: Machine, tmp_path: Path) -> None:
    session = open_session(FLOAT, "tensorrt-native", tmp_path)
    assert session.max_rows_per_run == MAX_ROWS
    for rows in (3, 4, 3, MAX_ROWS):
        session.run(faces(rows))
    assert machine.launches == 2  # 3 rows run as 4; the first run of each size is recorded behind the run


def test_an_array_of_the_session_is_not_copied(machine: Machine, tmp_path: Path) -> None:
    session = open_session(FLOAT, "tensorrt-native", tmp_path)
    batch = session.empty((2, 1, 48, 48), "float32")
    batch[:] = faces(2)["input"]
    session.run({"input": batch})
    blocks = len(machine.memory)
    address = batch.ctypes.data
    del batch
    assert session.empty((2, 1, 48, 48), "float32").ctypes.data == address
    assert len(machine.memory) == blocks


def test_threads_have_lanes_of_their_own(machine: Machine, tmp_path: Path) -> None:
    session = open_session(FLOAT, "tensorrt-native", tmp_path)
    expected = session.run(faces(2))[0]
    wrong: list[int] = []

    def loop() -> None:
        answers = [session.run(faces(2))[0] for _ in range(5)]
        wrong.extend(number for number, answer in enumerate(answers) if not np.array_equal(answer, expected))

    threads = [threading.Thread(target=loop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert machine.contexts <= 4


def test_every_layer_is_on_the_gpu(machine: Machine, tmp_path: Path) -> None:
    placement = open_session(write_brightness_model(tmp_path / "m.onnx"), "tensorrt-native", tmp_path).placement()
    assert (placement.device, placement.elsewhere) == ("Orin", 0)
    assert placement.there > 0


def test_a_gpu_that_fails_fails_the_batch_and_says_so(machine: Machine, tmp_path: Path) -> None:
    session = open_session(FLOAT, "tensorrt-native", tmp_path)
    session.run(faces(1))
    machine.broken["cudaStreamSynchronize"] = 700
    with pytest.raises(DeviceError, match="cannot run on the GPU: cudaStreamSynchronize: an illegal memory access"):
        session.run(faces(1))
    machine.broken.clear()
    assert len(session.run(faces(1))[0]) == 1  # with a lane that is new


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("cudaGetDeviceCount", 100, "no CUDA-capable device is detected"),
        ("cudaGetDeviceCount", 35, "driver version is insufficient"),
    ],
)
def test_no_gpu_is_one_sentence(machine: Machine, tmp_path: Path, name: str, status: int, words: str) -> None:
    machine.broken[name] = status
    with pytest.raises(ConfigError, match=f"needs a GPU, got: .*{words}.*; install or update the driver"):
        open_session(FLOAT, "tensorrt-native", tmp_path)


def test_a_machine_without_a_card_is_told_apart(machine: Machine, tmp_path: Path) -> None:
    machine.count = 0
    with pytest.raises(ConfigError, match="needs a GPU, got: none; "):
        open_session(FLOAT, "tensorrt-native", tmp_path)


def test_a_full_gpu_is_one_sentence(machine: Machine, tmp_path: Path) -> None:
    session = open_session(FLOAT, "tensorrt-native", tmp_path)
    machine.broken["cudaMalloc"] = 2
    with pytest.raises(DeviceError, match="cudaMalloc: out of memory"):
        session.run(faces(1))
    machine.broken = {"context": 2}
    with pytest.raises(DeviceError, match="no memory for one more execution context"):
        session.run(faces(1))


def test_an_operator_that_tensorrt_lacks_is_named(machine: Machine, tmp_path: Path) -> None:
    machine.refused_op = "Gemm"
    with pytest.raises(
        ModelSpecError, match="emotion-lite must be a graph that TensorRT can run, got: Gemm first: No imp"
    ):
        open_session(FLOAT, "tensorrt-native", tmp_path)


def test_another_version_of_tensorrt_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, Machine(version="8.6.1"))
    with pytest.raises(ConfigError, match=r"package tensorrt must be 10 or 11, got 8\.6\.1; on a Jetson"):
        open_session(FLOAT, "tensorrt-native", tmp_path)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: Machine) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(ConfigError, match=r"package cuda\.bindings\.runtime must be 12 or 13, got none; pip "):
        open_session(FLOAT, "tensorrt-native", tmp_path)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(ConfigError, match="package tensorrt must be 10 or 11, got none; on a Jetson it comes"):
        open_session(FLOAT, "tensorrt-native", tmp_path)


def test_auto_takes_it_if_it_answers_as_the_cpu(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "_refused", {})
    monkeypatch.setattr(backends, "_installed", lambda package: package == "tensorrt")
    session = open_session(FLOAT, "auto", tmp_path)
    assert session.runs_on.startswith("TensorRT")
    assert session.run(trial_feeds(session.inputs))[0].shape == (1, 8)


def test_the_real_cuda_says_that_there_is_no_driver() -> None:
    cudart = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    if cudart.cudaGetDeviceCount()[1]:
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match="'tensorrt-native' needs a GPU, got: "):
        Cuda(cudart).gpu()
    for name in ("cudaStreamCreateWithFlags", "cudaHostAlloc", "cudaMemcpyAsync", "cudaStreamBeginCapture",
                 "cudaStreamEndCapture", "cudaGraphInstantiate", "cudaGraphLaunch", "cudaGraphDestroy"):  # fmt: skip
        assert callable(getattr(cudart, name))
