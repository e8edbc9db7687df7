"""Administrators load and unload models, in every worker, by calls or by changing the folder."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest

import ferserve
from ferserve.client.admin import load_model, unload_model
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError, ModelLoadError, ModelNotFoundError, ModelNotReadyError
from ferserve.types import ModelState
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from tests.serving.commands import FERSERVE, run_command
from tests.serving.process import ServerProcess
from tests.serving.repository import put
from tests.serving.running import running_server

WHITE = np.full((64, 64), 255, np.uint8)
BOX = np.array([[0, 0, 64, 64]], np.float32)


def config(folder: Path) -> EngineConfig:
    return EngineConfig(model="mood", model_repository=str(folder), threads=1, max_batch_size=1)


def test_the_commands_load_and_unload(tmp_path: Path) -> None:
    put(tmp_path, "mood", "1")
    with Engine(config(tmp_path)) as engine, running_server(engine, admin=True) as address:
        put(tmp_path, "mood", "2")
        done = run_command("models", "load", "mood", "--target", address)
        assert (done.returncode, done.stdout, done.stderr) == (0, "mood@1 ready\nmood@2 ready\n", "")
        done = run_command("models", "unload", "mood@1", "--target", address)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert engine.model("mood@1").state is ModelState.UNAVAILABLE
        done = run_command("models", "list", "--target", address)
        assert "unavailable: it was unloaded" in " ".join(done.stdout.split())
        (tmp_path / "mood" / "2" / "model.onnx").write_bytes(b"GIF8 and so on")
        with pytest.raises(
            ModelLoadError, match=r"cannot load 'mood@2': mood/2/model\.onnx must be an ONNX file, got a GIF"
        ):
            load_model(address, "mood@2")
        with pytest.raises(ModelNotFoundError, match="got 'nobody'"):
            unload_model(address, "nobody")
    done = run_command("models", "load", "mood")
    assert done.returncode == 2
    assert "--target" in done.stderr


def test_without_the_setting_nobody_can(tmp_path: Path) -> None:
    put(tmp_path, "mood", "1")
    with (
        Engine(config(tmp_path)) as engine,
        running_server(engine) as address,
        pytest.raises(ConfigError, match=r"server\.admin must be true on the server"),
    ):
        unload_model(address, "mood")


@pytest.mark.slow
def test_every_worker_does_it_and_tells_strangers_nothing(tmp_path: Path) -> None:
    put(tmp_path, "mood", "1")
    arguments = ["--port", "0", "--model", "mood", "--model-repository", str(tmp_path), "--threads", "1"]
    environment = {"FERSERVE_SERVER_ADMIN": "true", "FERSERVE_ENGINE_MAX_BATCH_SIZE": "1"}
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in environment.items():
            patch.setenv(name, value)
        server = stack.enter_context(ServerProcess([*FERSERVE, "serve", "--workers", "2", *arguments]))
        put(tmp_path, "mood", "2")
        load_model(server.address, "mood")
        assert versions_of_many_connections(server.address) == {"2"}
        unload_model(server.address, "mood@2")
        assert versions_of_many_connections(server.address) == {"1"}
        peer_addresses = [
            line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if "@ferserve-" in line
        ]
        ours = [address for address in peer_addresses if f"-{server.process.pid}-" in address]
        assert len(set(ours)) == 2
        with grpc.insecure_channel(f"unix-abstract:{ours[0][1:]}") as channel:
            stub = emotion_pb2_grpc.AdminServiceStub(channel)
            with pytest.raises(grpc.RpcError) as refused:
                stub.UnloadModel(pb.UnloadModelRequest(name="mood"))
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def versions_of_many_connections(address: str) -> set[str]:
    """What each of many clients is answered by: the system spreads their connections over the workers."""
    found = set()
    for _ in range(12):
        with ferserve.Client(address) as client:
            found.add(client.classify(WHITE, BOX).model_version)
    return found


def test_a_watched_folder_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "mood", "1")
    looked = threading.Semaphore(0)
    with Engine(config(tmp_path)) as engine:
        refresh = engine.refresh_models
        monkeypatch.setattr(engine, "refresh_models", lambda: (refresh(), looked.release()))
        with running_server(engine, model_poll_s=0.1) as address, ferserve.Client(address) as client:
            put(tmp_path, "mood", "2")
            for _ in range(3):
                looked.acquire()
            assert client.classify(WHITE, BOX).model_version == "2"


def test_who_asks_for_a_model_that_is_not_ready_is_told_why(tmp_path: Path) -> None:
    put(tmp_path, "mood", "1")
    put(tmp_path, "broken", "1", labels=("a", "b", "c"))
    with Engine(config(tmp_path)) as engine, running_server(engine) as address, ferserve.Client(address) as client:
        with pytest.raises(ModelNotReadyError, match=r"cannot use the model 'broken': heads\[emotion\]"):
            client.classify(WHITE, BOX, options=ferserve.FrameOptions("broken"))
        assert client.model("broken").state is ModelState.UNAVAILABLE
