"""Models come, change and go while streams run: no frame is lost, and what is wrong with a file is said."""

from __future__ import annotations

import dataclasses
import queue
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ferserve
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import InvalidOptionsError, ModelLoadError, ModelNotFoundError, ModelNotReadyError
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.sources.arrays import raw_image
from ferserve.types import Frame, FrameResult, ModelState
from tests.serving.repository import put
from tests.serving.running import running_server
from tests.tiny_models import brightness_spec, write_brightness_model

WHITE = raw_image(np.full((64, 64), 255, np.uint8))
BOX = np.array([[0, 0, 64, 64]], np.float32)
EVERY = StreamOptions(delivery=Delivery.EVERY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    put(folder, "mood", "1")
    put(folder, "light", "1", head="light")
    return folder


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    with Engine(EngineConfig(model="mood", model_repository=str(folder), threads=2, max_batch_size=1)) as engine:
        yield engine


@pytest.fixture
def client(engine: Engine) -> Iterator[ferserve.Client]:
    with running_server(engine) as address, ferserve.Client(address) as client:
        yield client


class Camera:
    """A stream whose frames are sent one by one."""

    def __init__(self, client: ferserve.Client, options: StreamOptions = EVERY) -> None:
        self._frames: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._results = client.stream(iter(self._frames.get, None), options)
        self._sent = 0

    def next(self) -> FrameResult:
        self._sent += 1
        self._frames.put(Frame(self._sent, WHITE, self._sent * 33_000_000, boxes=BOX))
        return next(self._results)

    def end(self) -> None:
        self._frames.put(None)
        assert list(self._results) == []


def states(client: ferserve.Client, name: str) -> dict[str, tuple[ModelState, str]]:
    return {m.version: (m.state, m.reason) for m in client.models() if m.name == name}


def test_names_versions_and_aliases(folder: Path, tmp_path: Path) -> None:
    for version in ("9", "10"):
        put(folder, "mood", version)
    (folder / "mood" / "ferserve.toml").write_text('default = "stable"\n[aliases]\nstable = "9"\n')
    write_brightness_model(folder / "flat.onnx", brightness_spec("shade"))
    config = EngineConfig(model="mood@latest", model_repository=str(folder), threads=1, max_batch_size=1)
    with Engine(config) as engine:
        found = {name: engine.model(name).version for name in ("mood", "mood@stable", "mood@latest", "mood@1", "")}
        assert found == {"mood": "9", "mood@stable": "9", "mood@latest": "10", "mood@1": "1", "": "10"}
        described = [(m.version, m.is_default, m.aliases) for m in engine.models() if m.name == "mood"]
        assert described == [("1", False, ()), ("9", False, ("stable",)), ("10", True, ("latest",))]
        assert engine.model("shade").state is ModelState.READY
        assert engine.load("shade").spec.version == "1"
        assert engine.classify(Frame(1, WHITE, boxes=BOX), FrameOptions("mood@9")).model_version == "9"
        for name, message in (
            ("mood@2", r"version of 'mood' must be one of 1, 9, 10, stable, got '2'"),
            ("mod@1", "did you mean 'mood'"),
        ):
            with pytest.raises(ModelNotFoundError, match=message):
                engine.model(name)


def test_several_models_answer_one_stream(client: ferserve.Client, folder: Path, engine: Engine) -> None:
    options = FrameOptions(models=["mood", "light", "mood@1"])
    for result in (
        client.classify(np.full((64, 64), 255, np.uint8), BOX, options=options),
        Camera(client, dataclasses.replace(EVERY, frame=options)).next(),
        engine.classify(Frame(1, WHITE, boxes=BOX), options),
    ):
        heads = result.faces[0].heads
        assert [(h.name, h.label, h.confidence) for h in heads] == [
            ("emotion", "bright", 1),
            ("light", "bright", 1),
            ("mood@1/emotion", "bright", 1),
        ]
        assert result.model_name == "mood"
    crops = ferserve.Crops((WHITE, WHITE))
    assert [len(face.heads) for face in client.classify(crops, options=options).faces] == [3, 3]
    empty = client.classify(np.zeros((64, 64), np.uint8), np.zeros((0, 4), np.float32), options=options)
    assert empty.faces == ()


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ("mood", "models must be a list of names, got 'mood'"),
        (["mood", "mood"], "models must be distinct names"),
        ([""], "models must be distinct names"),
        ([1], r"models\[0\] must be a str, got 1"),
        (["x"] * 9, "models must be at most 8 names, got 9"),
    ],
)
def test_lists_of_models_that_are_none(models: object, message: str) -> None:
    with pytest.raises(InvalidOptionsError, match=message):
        FrameOptions(models=models)  # type: ignore[arg-type]
    with pytest.raises(InvalidOptionsError, match="models must be left out with model"):
        FrameOptions(model="a", models=["b"])


def test_an_open_stream_changes_over_between_two_frames(client: ferserve.Client, folder: Path, engine: Engine) -> None:
    named, following = Camera(client, StreamOptions(FrameOptions("mood@1"), Delivery.EVERY)), Camera(client)
    assert [camera.next().model_version for camera in (named, following)] == ["1", "1"]
    put(folder, "mood", "2")
    assert [m.version for m in engine.load_model("mood")] == ["1", "2"]
    told = [camera.next() for camera in (named, following, following)]
    assert [r.model_version for r in told] == ["1", "2", "2"]
    assert [r.faces[0].emotion for r in told] == ["bright"] * 3
    assert told[1].faces[0].track_id == 1
    assert told[1].faces[0].heads[0].raw_probabilities is not None
    engine.unload_model("mood")
    assert [camera.next().model_version for camera in (named, following)] == ["1", "2"], "open streams keep it"
    with pytest.raises(ModelNotReadyError, match="cannot use the model 'mood': it was unloaded"):
        client.classify(np.zeros((64, 64), np.uint8))
    engine.load_model("mood@1")
    assert states(client, "mood")["2"] == (ModelState.UNAVAILABLE, "it was unloaded")
    assert following.next().model_version == "1", "the only one that is left"
    named.end()
    following.end()


def test_smoothing_goes_on_under_equal_labels_and_starts_afresh_under_others(
    client: ferserve.Client, folder: Path, engine: Engine
) -> None:
    camera = Camera(client)
    camera.next()
    put(folder, "mood", "2", labels=("bright", "dark"))  # says dark of what is bright
    engine.load_model("mood@2")
    turned = camera.next().faces[0].heads[0]
    assert turned.labels == ("bright", "dark")
    assert turned.label == "bright", "what was smoothed keeps its label, whatever its place"
    weight = -np.expm1(-33 / engine.config.smoothing_ms)
    np.testing.assert_allclose(turned.probabilities, [1 - weight, weight], atol=1e-4)
    put(folder, "mood", "3", labels=("calm", "excited"))
    engine.load_model("mood@3")
    fresh = camera.next().faces[0].heads[0]
    assert (fresh.labels, fresh.label, fresh.confidence) == (("calm", "excited"), "excited", 1)
    assert camera.next().faces[0].emotion == "excited"
    camera.end()


def test_what_cannot_be_loaded_changes_nothing(client: ferserve.Client, folder: Path, engine: Engine) -> None:
    camera = Camera(client)
    camera.next()
    before = engine.load("mood")
    path = put(folder, "mood", "1", labels=("one", "two", "three"))  # contradicts the graph
    with pytest.raises(ModelLoadError, match=r"cannot load 'mood': heads\[emotion\]\.labels must be as many"):
        engine.load_model("mood")
    for content, message in (
        (path.read_bytes()[:200], "must be an ONNX file, got a file that is cut off"),
        (b"\x89PNG, not a model", "got a PNG picture"),
        (b"", "got an empty file"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelLoadError, match=message) as caught:
            engine.load_model("mood@1")
        assert str(folder) not in str(caught.value)
    shutil.rmtree(folder)
    with pytest.raises(ModelLoadError, match=r"cannot load 'mood': engine\.model_repository must be a folder"):
        engine.load_model("mood")
    with pytest.raises(ModelNotFoundError, match="must be a folder that can be read"):
        engine.refresh_models()
    assert engine.load("mood") is before
    assert camera.next().faces[0].emotion == "bright"
    camera.end()


def test_changes_are_taken_up_once_they_are_whole(client: ferserve.Client, folder: Path, engine: Engine) -> None:
    camera = Camera(client)
    camera.next()
    put(folder, "mood", "2")
    put(folder, "broken", "1", labels=("one", "two", "three"))
    engine.refresh_models()
    assert list(states(client, "mood")) == ["1"], "it may be half a copy"
    engine.refresh_models()
    assert {v: s for v, (s, _) in states(client, "mood").items()} == {"1": ModelState.READY, "2": ModelState.READY}
    state, reason = states(client, "broken")["1"]
    assert state is ModelState.UNAVAILABLE
    assert reason.startswith("heads[emotion].labels must be as many")
    with pytest.raises(ModelNotReadyError, match="cannot use the model 'broken': heads"):
        client.classify(np.zeros((64, 64), np.uint8), options=FrameOptions("broken"))
    assert camera.next().model_version == "2"

    one, two = folder / "mood" / "1", folder / "mood" / "2"
    put(folder, "mood", "1", labels=("a", "b"))
    for source, target in ((one, folder / "mood" / ".swap"), (two, one), (folder / "mood" / ".swap", two)):
        source.rename(target)
    shutil.rmtree(folder / "light")
    for _ in range(2):
        engine.refresh_models()
    assert [client.model(f"mood@{v}").heads["emotion"] for v in "12"] == [("dark", "bright"), ("a", "b")]
    assert states(client, "light") == {}
    assert (camera.next().faces[0].emotion, camera.next().model_version) == ("b", "2")

    (two / "model.onnx").write_bytes(b"damaged")
    for _ in range(2):
        engine.refresh_models()
    state, reason = states(client, "mood")["2"]
    assert state is ModelState.READY
    assert "its former file answers" in reason
    assert camera.next().faces[0].emotion == "b"
    camera.end()
