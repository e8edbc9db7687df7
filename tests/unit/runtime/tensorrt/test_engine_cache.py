"""Engines are built once per GPU, version and model, and nothing else is ever loaded."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ferserve.cli.model_build import build_command
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError, ModelNotFoundError
from ferserve.runtime.tensorrt.builder import Built
from ferserve.runtime.tensorrt.engine_cache import EngineCache
from ferserve.runtime.tensorrt.engine_file import EngineKey, read_engine, write_engine
from ferserve.runtime.tensorrt.session import TensorRtSession
from tests.tiny_models import write_brightness_model
from tests.unit.runtime.tensorrt.fake_tensorrt import install
from tests.unit.runtime.tensorrt.machine import Machine

KEY = EngineKey("m", "0" * 64, "10.16.1", "Orin", "8.7", "fp16", 64)


def engines(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.engine"))


def build(timings: bytes) -> Built:
    return Built(b"engine", timings + b"t", 0.0)


def must_not_build(timings: bytes) -> Built:
    raise AssertionError("built again")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_brightness_model(tmp_path / "brightness.onnx")


def test_the_second_start_builds_nothing(machine: Machine, model: Path, tmp_path: Path) -> None:
    for _ in range(2):
        TensorRtSession(model, tmp_path / "engines")
    assert machine.builds == 1
    assert [path.name.startswith("brightness-fp16-") for path in engines(tmp_path / "engines")] == [True]
    assert list((tmp_path / "engines").glob("timing-Orin-8.7-10.16.1.cache"))


@pytest.mark.parametrize("change", [{"version": "11.4.0.106"}, {"gpu": "Thor"}, {"capability": (11, 0)}])
def test_another_gpu_or_version_gets_an_engine_of_its_own(
    change: dict[str, object], machine: Machine, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TensorRtSession(model, tmp_path / "engines")
    other = Machine(**change)  # type: ignore[arg-type]
    install(monkeypatch, other)
    TensorRtSession(model, tmp_path / "engines")
    assert other.builds == 1
    assert len(engines(tmp_path / "engines")) == 2


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:-1], "it is damaged"),
        (lambda data: data + b"x", "it is damaged"),
        (lambda data: b"", "it is no engine of ferserve"),
        (lambda data: data[:40], "it is no engine of ferserve"),
        (lambda data: data.replace(b'"gpu"', b'"cpu"', 1), "it was built for something else"),
        (lambda data: data.replace(b'"sha256"', b'"sha"', 1), "its header is damaged"),
        (lambda data: data.replace(b"{", b"[", 1), "its header is damaged"),
    ],
)
def test_a_damaged_or_foreign_file_is_built_again(
    damage: object, reason: str, machine: Machine, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    TensorRtSession(model, tmp_path)
    (path,) = engines(tmp_path)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with caplog.at_level(logging.WARNING):
        TensorRtSession(model, tmp_path)
    assert machine.builds == 2
    assert f"cannot use the engine {path}: {reason}; it is built again" in caplog.text


def test_an_engine_that_tensorrt_refuses_is_built_again(
    machine: Machine, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = TensorRtSession(model, tmp_path)
    (path,) = engines(tmp_path)
    write_engine(path, session._key, b"of another build of TensorRT")
    TensorRtSession(model, tmp_path)
    assert machine.builds == 2


def test_a_folder_that_cannot_be_written_is_said_and_served_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        assert EngineCache(tmp_path / "file" / "engines").engine(KEY, build, bytes) == b"engine"
    assert "cannot keep the engine in" in caplog.text
    assert "set engine.cache_dir" in caplog.text


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert EngineCache(tmp_path).engine(KEY, build, bytes) == b"engine"
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_two_that_start_at_once_build_one_engine(tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()
    got: list[bytes] = []

    def slow(timings: bytes) -> Built:
        began.set()
        go_on.wait(30)
        return build(timings)

    first = threading.Thread(target=lambda: got.append(EngineCache(tmp_path).engine(KEY, slow, bytes)))
    first.start()
    assert began.wait(30)
    second = threading.Thread(target=lambda: got.append(EngineCache(tmp_path).engine(KEY, must_not_build, bytes)))
    second.start()
    go_on.set()
    first.join(30)
    second.join(30)
    assert got == [b"engine", b"engine"]


def test_a_builder_that_is_killed_blocks_nobody(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from ferserve.runtime.tensorrt.engine_cache import EngineCache\n"
        "from ferserve.runtime.tensorrt.engine_file import EngineKey\n"
        f"key = {KEY!r}\n"
        "folder = Path(sys.argv[1])\n"
        "def build(timings):\n"
        "    (folder / f'{key.file_name}.1.partial').write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "EngineCache(folder).engine(key, build, bytes)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    assert EngineCache(tmp_path).engine(KEY, build, bytes) == b"engine"
    assert list(tmp_path.glob("*.partial")) == []
    assert read_engine(tmp_path / KEY.file_name, KEY) == (b"engine", "")


def test_engines_can_be_built_ahead(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FERSERVE_ENGINE_CACHE_DIR", str(tmp_path))
    build_command(["emotion-lite", "emotion-lite-int8"])
    build_command(["emotion-lite"], precision="fp32")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(", ")[0] for line in lines] == [
        "emotion-lite: TensorRT 10.16.1 FP16 on Orin",
        "emotion-lite-int8: TensorRT 10.16.1 INT8 on Orin",
        "emotion-lite: TensorRT 10.16.1 FP32 on Orin",
    ]
    assert all(Path(line.split(", ")[-1]).is_file() for line in lines)
    with Engine(EngineConfig(model="emotion-lite", device="tensorrt-native", threads=1, cache_dir=str(tmp_path))):
        assert machine.builds == 3  # the start took what was built
    with pytest.raises(ConfigError, match="--precision must be fp16 or fp32, got 'int4'"):
        build_command(["emotion-lite"], precision="int4")
    with pytest.raises(ModelNotFoundError, match="model must be one of"):
        build_command(["nobody"])
