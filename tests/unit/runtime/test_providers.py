"""Builds of ONNX Runtime for GPUs, on machines with and without one: what loads decides, not what is offered."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from ferserve.config import Device, EngineConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError, ModelSpecError
from ferserve.models.store import BUNDLED_DIR
from ferserve.runtime import auto, open_session, uses_cpu
from ferserve.runtime.default_model import bundled_model
from tests.tiny_models import write_brightness_model

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
MODEL = BUNDLED_DIR / "emotion-lite.onnx"
RealSession = onnxruntime.InferenceSession
Behaviour = Callable[[str, Any, list[str]], Any]
"""(path, options, names of providers) to the session that a build gives if it is asked for a GPU."""

NOISE = (  # as ONNX Runtime 1.31 writes it
    b"\x1b[1;31m2026-11-28 10:29:28 [E:onnxruntime:Default, provider_bridge_ort.cc:2458] Failed to load library "
    b"/x/capi/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file\n"
    b"\x1b[m\n\x1b[0;93m2026-11-28 10:29:28 [W:onnxruntime:Default, onnxruntime_pybind_state.cc:1295] Failed to create "
    b"CUDAExecutionProvider. Require cuDNN 9.* and CUDA 13.*.\x1b[m\n"
)


class OnGpu(RealSession):  # type: ignore[misc]
    """A session that says it runs on a GPU; here the CPU does its work."""

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]


def _missing_library(path: str, options: Any, names: list[str]) -> Any:
    os.write(2, NOISE)
    return RealSession(path, options, providers=[CPU])


def _no_device(path: str, options: Any, names: list[str]) -> Any:
    raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected ; GPU=-1\nat cuda_call.cc")


def _nameless(path: str, options: Any, names: list[str]) -> Any:
    raise ValueError


def _silent(path: str, options: Any, names: list[str]) -> Any:
    return RealSession(path, options, providers=[CPU])


def _works(path: str, options: Any, names: list[str]) -> Any:
    return OnGpu(path, options, providers=[CPU])


FAILURES = {
    _missing_library: "libcublasLt.so.13: cannot open shared object file",
    _no_device: "CUDA failure 100: no CUDA-capable device is detected ; GPU=-1",
    _nameless: "ValueError",
    _silent: "ONNX Runtime did not load it",
}


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Install a build that offers ``names`` and behaves as told; the list has the providers of each session."""

    def install(behave: Behaviour, *names: str) -> list[list[str]]:
        asked: list[list[str]] = []

        def create(path: str, options: Any, *, providers: list[Any], **_: Any) -> Any:
            chosen = [each if isinstance(each, str) else each[0] for each in providers]
            asked.append(chosen)
            return RealSession(path, options, providers=[CPU]) if chosen == [CPU] else behave(path, options, chosen)

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*(names or (TENSORRT, CUDA)), CPU])
        monkeypatch.setattr(onnxruntime, "InferenceSession", create)
        monkeypatch.setattr(auto, "_refused", {})
        return asked

    return install


@pytest.fixture
def with_vnni(tmp_path: Path) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text("flags\t\t: fpu avx2 avx512_vnni\n")
    return path


@pytest.mark.parametrize("behave", FAILURES)
@pytest.mark.parametrize("names", [(TENSORRT, CUDA), (CUDA,)])
def test_auto_takes_the_model_for_the_cpu_if_no_gpu_loads(
    behave: Behaviour, names: tuple[str, ...], build: Callable[..., list[list[str]]], with_vnni: Path
) -> None:
    asked = build(behave, *names)
    assert bundled_model("auto", with_vnni) == "emotion-lite-int8"
    session = open_session(MODEL, "auto")
    assert session.runs_on.endswith(CPU)
    assert session.max_rows_per_run > 0
    assert asked.count([CUDA, CPU]) == 1  # it is not tried again


def test_auto_takes_floats_on_a_gpu_that_loads(build: Callable[..., list[list[str]]], with_vnni: Path) -> None:
    build(_works)
    assert bundled_model("auto", with_vnni) == "emotion-lite"
    assert not uses_cpu("auto", MODEL)
    session = open_session(MODEL, "auto")
    assert session.runs_on.endswith(CUDA)
    assert session.max_rows_per_run == 0


def test_auto_never_asks_for_a_gpu_that_is_not_offered(build: Callable[..., list[list[str]]], with_vnni: Path) -> None:
    asked = build(_works, "AzureExecutionProvider")
    assert bundled_model("auto", with_vnni) == "emotion-lite-int8"
    assert asked == []  # and no session is opened to find that out


@pytest.mark.parametrize("behave", FAILURES)
def test_one_line_says_what_auto_fell_back_to_and_why(
    behave: Behaviour,
    build: Callable[..., list[list[str]]],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    build(behave)
    with caplog.at_level(logging.WARNING), Engine(EngineConfig(threads=1)) as engine:
        runs_on = engine.model("").runs_on
        assert engine.runs_on.count(f" {CPU},") == 2  # the model and the detector
    assert runs_on.endswith(f"{CPU}, not {CUDA}: {FAILURES[behave]}")
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("ferserve")]
    assert line == (
        f"cannot use {CUDA}: {FAILURES[behave]}; the CPU runs the models. Set engine.device to cpu if that is meant"
    )
    assert capfd.readouterr().err == ""


def test_what_onnx_runtime_says_of_it_is_for_those_who_want_to_know(
    build: Callable[..., list[list[str]]], caplog: pytest.LogCaptureFixture
) -> None:
    build(_missing_library)
    with caplog.at_level(logging.INFO):
        open_session(MODEL, "auto")
    details = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert len(details) == 2
    assert details[1].endswith("Require cuDNN 9.* and CUDA 13.*.")


def test_what_others_write_meanwhile_is_not_swallowed(
    build: Callable[..., list[list[str]]], capfd: pytest.CaptureFixture[str]
) -> None:
    def with_company(path: str, options: Any, names: list[str]) -> Any:
        os.write(2, b"a line of another thread\n")
        return _missing_library(path, options, names)

    build(with_company)
    open_session(MODEL, "auto")
    assert capfd.readouterr().err == "a line of another thread\n"


@pytest.mark.parametrize("behave", [_missing_library, _no_device])
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_was_named_fails_with_the_reason(
    behave: Behaviour,
    device: Device,
    build: Callable[..., list[list[str]]],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    build(behave)
    with pytest.raises(ConfigError) as failed:
        open_session(MODEL, device, tmp_path)
    text = str(failed.value)
    assert text.startswith(
        f"engine.device must be one that ONNX Runtime can use here, got {device!r} where it has {CPU} ("
    )
    if device == "cuda":
        assert FAILURES[behave] in text
        assert capfd.readouterr().err == ""


@pytest.mark.parametrize("device", ["auto", "cuda", "cpu"])
def test_a_broken_file_is_not_blamed_on_the_gpu(
    device: Device, build: Callable[..., list[list[str]]], tmp_path: Path
) -> None:
    def load(path: str, options: Any, names: list[str]) -> Any:
        return OnGpu(path, options, providers=[CPU])

    build(load)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(ModelSpecError, match=r"broken\.onnx must be a model that ONNX Runtime can load, got: "):
        open_session(broken, device)
    good = write_brightness_model(tmp_path / "good.onnx")
    assert open_session(good, "auto").runs_on.endswith(CUDA)


def test_a_process_without_stderr_loads_models_too() -> None:
    code = (
        "import os; os.close(2)\n"
        "from ferserve.runtime.native_stderr import filtered_stderr\n"
        "with filtered_stderr(bool) as lines: pass\n"
        "print(lines)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_gpu_that_was_named_and_has_nothing_to_do_is_refused(build: Callable[..., list[list[str]]]) -> None:
    build(_works)  # the session says that it is on the GPU; its profile tells that the CPU ran every node
    with pytest.raises(ConfigError, match=r"on a GPU, got .*, which leaves all nodes to the CPU; see docs/jetson\.md"):
        Engine(EngineConfig(threads=1, device="cuda"))


def test_a_device_can_be_required_of_auto(build: Callable[..., list[list[str]]]) -> None:
    build(_no_device)
    with pytest.raises(ConfigError, match=f"got ONNX Runtime .* {CPU} \\(not {CUDA}: CUDA failure 100"):
        Engine(EngineConfig(threads=1, require_device=True))
