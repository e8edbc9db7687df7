"""Models are loaded once, replaced while they are in use, and dropped without taking them from their users."""

from __future__ import annotations

import dataclasses
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import (
    InvalidFrameError,
    ModelLoadError,
    ModelNotFoundError,
    ModelNotReadyError,
    OverloadedError,
)
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.runtime.backends import BACKENDS
from ferserve.runtime.registry import ModelRegistry
from ferserve.sources.arrays import raw_image
from ferserve.types import Frame, ModelState
from tests.busy import held_workers
from tests.tiny_models import brightness_spec, write_brightness_model

WHITE = raw_image(np.full((64, 64), 255, np.uint8))
BOX = np.array([[0, 0, 64, 64]], np.float32)
EVERY = StreamOptions(delivery=Delivery.EVERY, smoothing_ms=0)


def _version(path: Path, version: str, *, inverted: bool = False) -> Path:
    """The brightness model, or one of the same name whose labels are the other way round."""
    spec = dataclasses.replace(brightness_spec("brightness"), version=version)
    if inverted:
        head = dataclasses.replace(spec.heads[0], labels=("bright", "dark"))
        spec = dataclasses.replace(spec, heads=(head,))
    return write_brightness_model(path, spec)


def _registry(model: Path, folder: Path | None = None) -> ModelRegistry:
    config = EngineConfig(model=str(model), model_dir=str(folder or ""), max_batch_size=1)
    return ModelRegistry(config, threads=1, others_busy=lambda: False)


def test_the_default_model_is_loaded_and_others_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    write_brightness_model(tmp_path / "more" / "other.onnx")
    registry = _registry(_version(tmp_path / "m.onnx", "1"), tmp_path / "more")
    assert registry.is_loaded("")
    assert registry.is_loaded("brightness")
    assert not registry.is_loaded("other")
    assert registry.describe("other").runs_on == ""
    loaded = registry.get("other")
    assert registry.get("other") is loaded
    assert loaded.spec.name == "other"
    assert not registry.describe("other").is_default
    assert registry.describe("other").runs_on == loaded.runs_on != ""
    assert registry.describe("").is_default
    assert registry.describe("").sha256 == registry.get("").sha256
    with pytest.raises(ModelNotFoundError, match="model must be one of"):
        registry.get("nobody")


def test_threads_that_want_one_model_at_once_load_it_once(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    write_brightness_model(tmp_path / "more" / "other.onnx")
    registry = _registry(_version(tmp_path / "m.onnx", "1"), tmp_path / "more")
    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(lambda _: registry.get("other"), range(32)))
    assert len({id(model) for model in loaded}) == 1


def test_a_file_is_read_again_for_new_callers_while_open_streams_go_on(tmp_path: Path) -> None:
    path = _version(tmp_path / "m.onnx", "1")
    frame = Frame(0, WHITE, boxes=BOX)
    with Engine(EngineConfig(model=str(path), threads=2)) as engine:
        with engine.open_stream(EVERY) as before:
            assert before.submit(frame).result(10).faces[0].emotion == "bright"
            _version(path, "2", inverted=True)
            assert [m.version for m in engine.load_model("brightness")] == ["2"]
            with engine.open_stream(EVERY) as after:
                told = after.submit(frame).result(10)
            assert before.submit(dataclasses.replace(frame, frame_id=1)).result(10).ok
        assert (told.model_version, told.faces[0].emotion) == ("2", "dark")
        assert engine.classify(frame).model_version == "2"
        assert engine.model("").version == "2"
        assert engine.model("").is_default
        assert [m.version for m in engine.models() if m.name == "brightness"] == ["2"]


def test_a_file_that_cannot_be_loaded_changes_nothing(tmp_path: Path) -> None:
    path = _version(tmp_path / "m.onnx", "1")
    registry = _registry(path)
    with pytest.raises(ModelNotFoundError, match=r"version of 'brightness' must be one of 1, got '2'"):
        registry.load("brightness@2")
    broken = dataclasses.replace(brightness_spec("brightness"), version="2")
    head = dataclasses.replace(broken.heads[0], output="elsewhere")
    write_brightness_model(path, dataclasses.replace(broken, heads=(head,)))
    with pytest.raises(ModelLoadError, match=r"cannot load 'brightness': .*output must be .*; what was served"):
        registry.load("brightness")
    path.unlink()
    with pytest.raises(ModelLoadError, match="model must be a file that exists"):
        registry.load("brightness@1")
    assert registry.get("").spec.version == registry.describe("").version == "1"


def test_an_unloaded_model_works_for_its_holders_and_is_freed_after_them(tmp_path: Path) -> None:
    registry = _registry(_version(tmp_path / "m.onnx", "1"))
    held = registry.get("")
    registry.unload("brightness")
    assert not registry.is_loaded("")
    for name in ("", "brightness", "brightness@1", "brightness@latest"):
        with pytest.raises(ModelNotReadyError, match=f"cannot use the model '{name or 'brightness'}': it was unloaded"):
            registry.get(name)
    said = registry.describe("")
    assert (said.is_default, said.state, said.reason) == (True, ModelState.UNAVAILABLE, "it was unloaded")
    row = np.ones((1, *held.spec.input.row_shape), np.float32)
    np.testing.assert_allclose(held.classifier.infer(row)[0], [[0, 1]], atol=1e-6)
    graph = weakref.ref(held.classifier)
    registry.load("brightness")
    assert registry.get("") is not held
    assert registry.describe("").state is ModelState.READY
    del held
    assert graph() is None, "models that a collector has to find are frozen with everything else at the start"


def test_rows_are_answered_like_faces(tmp_path: Path) -> None:
    with Engine(EngineConfig(model=str(_version(tmp_path / "m.onnx", "1")), threads=2)) as engine:
        shades = np.linspace(0, 1, 23, dtype=np.float32)
        rows = shades.reshape(-1, 1, 1, 1) * np.ones((1, 1, 8, 8), np.float32)
        (answer,) = engine.infer("", rows)
        np.testing.assert_allclose(answer, np.stack([1 - shades, shades], axis=1), atol=1e-6)
        assert answer.dtype == np.float32
        assert [a.shape for a in engine.infer("brightness", rows[:0])] == [(0, 2)]
        spec = engine.load("emotion-lite").spec
        heads = engine.infer("emotion-lite", np.zeros((2, *spec.input.row_shape), spec.input.dtype))
        assert [a.shape for a in heads] == [(2, len(head.labels)) for head in spec.heads]


@pytest.mark.parametrize(
    ("shape", "dtype", "got"),
    [
        ((2, 1, 8, 9), "float32", r"float32 \(2, 1, 8, 9\)"),
        ((1, 8, 8), "float32", r"float32 \(1, 8, 8\)"),
        ((), "float32", r"float32 \(\)"),
        ((2, 1, 8, 8), "float64", r"float64 \(2, 1, 8, 8\)"),
        ((2, 1, 8, 8), "uint8", "uint8"),
    ],
)
def test_rows_of_another_form_are_refused(tmp_path: Path, shape: tuple[int, ...], dtype: str, got: str) -> None:
    with (
        Engine(EngineConfig(model=str(_version(tmp_path / "m.onnx", "1")), threads=1)) as engine,
        pytest.raises(InvalidFrameError, match=rf"rows must be float32 \(N, 1, 8, 8\) for .* got {got}"),
    ):
        engine.infer("", np.zeros(shape, dtype))


def test_rows_wait_within_the_limits_of_frames(tmp_path: Path) -> None:
    config = EngineConfig(model=str(_version(tmp_path / "m.onnx", "1")), threads=2, max_queue=2)
    rows = np.zeros((3, 1, 8, 8), np.float32)
    with Engine(config) as engine:
        with held_workers(engine):
            given_up, waiting = [engine.submit_rows("", rows) for _ in range(2)]
            with pytest.raises(OverloadedError, match="waiting frames must be at most 2"):
                engine.submit_rows("", rows)
            assert given_up.cancel()
        assert waiting.result(10)[0].shape == (3, 2)
        assert engine.infer("", rows)[0].shape == (3, 2)
    with pytest.raises(ModelNotReadyError):
        engine.infer("", rows)


def test_an_unknown_model_is_refused_before_anything_waits(tmp_path: Path) -> None:
    with Engine(EngineConfig(model=str(_version(tmp_path / "m.onnx", "1")), threads=1)) as engine:
        for ask in (
            lambda: engine.submit(Frame(0, WHITE), FrameOptions("nobody")),
            lambda: engine.infer("nobody", np.zeros((1, 1, 8, 8), np.float32)),
            lambda: engine.open_stream(StreamOptions(frame=FrameOptions("nobody"))),
            lambda: engine.load("nobody"),
        ):
            with pytest.raises(ModelNotFoundError, match="got 'nobody'"):
                ask()


def test_every_device_of_the_configuration_has_a_backend() -> None:
    from typing import get_args

    from ferserve.config import Device

    assert set(BACKENDS) == set(get_args(Device))
