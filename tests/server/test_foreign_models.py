"""Models that others publish answer through a server as their authors' own code does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ferserve
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError, ModelNotFoundError, ModelSpecError
from ferserve.options import FrameOptions
from ferserve.runtime.adding import add_to_repository, spec_of, write_sidecar
from tests.foreign_models import SIGNATURES, Signature, expected_columns, softmax, write_foreign_model
from tests.serving.commands import run_command
from tests.serving.running import running_server
from tests.tiny_models import brightness_spec, write_brightness_model

BGR = (40, 90, 200)
PICTURE = np.full((80, 80, 3), BGR, np.uint8)
BOXES = np.array([[0, 0, 80, 80], [8, 8, 72, 72], [20, 20, 60, 60]], np.float32)

EIGHT = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
KERAS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
LABELS = {
    "emotion-ferplus-8": ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    "enet_b0_8_best_afew": EIGHT,
    "enet_b2_7": SEVEN,
    "enet_b0_8_va_mtl": EIGHT,
    "facial_expression_model": KERAS,
    "emotion_model": KERAS,
    "emotions-recognition": ("neutral", "happiness", "sadness", "surprise", "anger"),
    "affect": ("valence", "arousal"),
}
"""As the authors' code orders them."""


def luma() -> float:
    """Of the picture, by the weights of ITU-R BT.601."""
    blue, green, red = BGR
    return round(0.299 * red + 0.587 * green + 0.114 * blue)


def imagenet_mean() -> float:
    """Of the picture in RGB, scaled and normalised as torchvision does."""
    rgb = np.array(BGR[::-1]) / 255
    return float(((rgb - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)).mean())


MEANS = {
    "ferplus": luma(),
    "hsemotion": imagenet_mean(),
    "deepface": luma() / 255,
    "mini-xception": (luma() / 255 - 0.5) * 2,
    "retail-0003": float(np.mean(BGR)),
    "valence-arousal": imagenet_mean(),
}
"""Mean of what the authors' code feeds to the graph."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    files = tmp_path_factory.mktemp("files")
    for signature in SIGNATURES:
        path = write_foreign_model(files, signature)
        add_to_repository(path, folder, spec_of(path, signature.like, signature.file, "1"))
    return folder


@pytest.fixture(scope="module")
def client(repository: Path) -> Iterator[ferserve.Client]:
    config = EngineConfig(model=SIGNATURES[0].file, model_repository=str(repository), threads=2, detector="none")
    with Engine(config) as engine, running_server(engine) as address, ferserve.Client(address) as client:
        yield client


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda signature: signature.file)
def test_a_published_model_answers_as_its_authors_say(client: ferserve.Client, signature: Signature) -> None:
    columns = expected_columns(signature, MEANS[signature.like])
    result = client.classify(PICTURE, BOXES, options=FrameOptions(signature.file))
    assert len(result.faces) == 3, "a graph of one row answers each face"
    for face in result.faces:
        heads = {head.name: head for head in face.heads}
        if signature.like == "valence-arousal":
            np.testing.assert_allclose(heads["valence_arousal"].probabilities, columns, rtol=0, atol=2e-3)
            continue
        labels = LABELS[signature.file]
        own = columns[: len(labels)]
        wanted = own if signature.softmax else softmax(own)
        assert heads["emotion"].labels == labels
        np.testing.assert_allclose(heads["emotion"].probabilities, wanted, rtol=0, atol=2e-3)
        assert face.emotion == labels[int(wanted.argmax())]
        if signature.columns == 10:
            np.testing.assert_allclose(heads["valence_arousal"].probabilities, columns[8:], rtol=0, atol=2e-3)


def test_rows_of_a_graph_with_a_fixed_batch(repository: Path) -> None:
    config = EngineConfig(model="emotion-ferplus-8", model_repository=str(repository), threads=1, detector="none")
    with Engine(config) as engine:
        rows = np.ones((3, 1, 64, 64), np.float32) * np.arange(3, dtype=np.float32)[:, None, None, None]
        (answer,) = engine.infer("", rows)
        np.testing.assert_allclose(answer, [softmax(expected_columns(SIGNATURES[0], i)) for i in range(3)], atol=1e-5)
        assert engine.infer("", rows[:0])[0].shape == (0, 8)


def test_the_command_writes_what_a_server_reads(tmp_path: Path) -> None:
    path = write_foreign_model(tmp_path, SIGNATURES[1])
    done = run_command("models", "add", path, "--like", "hsemotion", "--name", "mine", "--version", "2")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(path.with_suffix(".json")), "")
    written = json.loads(path.with_suffix(".json").read_text())
    assert (written["name"], written["version"], written["input"]["height"]) == ("mine", "2", 224)
    with pytest.raises(ConfigError, match="must not be there yet, got another spec"):
        write_sidecar(path, spec_of(path, "hsemotion", "other", "1"))
    done = run_command("models", "add", path, "--model-repository", tmp_path / "repository")
    assert done.stdout.strip() == str(tmp_path / "repository" / "mine" / "2" / "model.onnx")
    (tmp_path / "repository" / "broken" / "1").mkdir(parents=True)
    (tmp_path / "repository" / "broken" / "1" / "model.onnx").write_bytes(b"\xff\xd8\xff")
    done = run_command("models", "verify", "mine", "broken", "--model-repository", tmp_path / "repository")
    assert done.returncode == 1
    assert done.stdout.startswith("mine@2 ok ")
    assert done.stderr.startswith("ferserve: broken@1: broken/1/model.onnx must be an ONNX file, got a JPEG picture")
    done = run_command("models", "list", "--json", "--model-repository", tmp_path / "repository")
    listed = {model["name"]: model for model in map(json.loads, done.stdout.splitlines())}
    assert (listed["mine"]["state"], listed["broken"]["state"]) == ("ready", "unavailable")
    assert listed["broken"]["reason"].startswith("broken/1/model.onnx must be an ONNX file")


@pytest.mark.parametrize(
    ("like", "signature", "message"),
    [
        ("hsemotion", 0, r"must take 3 channel\(s\), got Input3 \(1, 1, 64, 64\)"),
        ("ferplus", 2, r"must have an output of 8 columns, got output \(None, 7\)"),
        ("ferpluss", 0, "the nearest is 'ferplus'"),
    ],
)
def test_a_file_that_is_not_like_that(tmp_path: Path, like: str, signature: int, message: str) -> None:
    path = write_foreign_model(tmp_path, SIGNATURES[signature])
    with pytest.raises((ModelSpecError, ModelNotFoundError), match=message):
        spec_of(path, like, "x", "1")


def test_a_version_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = write_brightness_model(tmp_path / "m.onnx")
    repository = tmp_path / "repository"
    add_to_repository(path, repository, brightness_spec("mood"))
    with pytest.raises(ConfigError, match="version must be a new one of 'mood', got '1'"):
        add_to_repository(path, repository, brightness_spec("mood"))
    with pytest.raises(ModelSpecError, match="input must have the graph's shape"):
        add_to_repository(path, repository, brightness_spec("other", side=9))
    assert sorted(p.relative_to(repository).as_posix() for p in repository.rglob("*")) == [
        "mood",
        "mood/1",
        "mood/1/model.json",
        "mood/1/model.onnx",
        "other",
    ]
