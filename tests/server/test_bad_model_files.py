"""Files that must not be served: each is one sentence, and the server goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import ferserve
from ferserve.client.admin import load_model
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import ModelLoadError
from ferserve.models.spec import METADATA_KEY
from tests.serving.repository import put
from tests.serving.running import running_server
from tests.tiny_models import brightness_spec

BOX = np.array([[0, 0, 64, 64]], np.float32)


def save(path: Path, nodes: list[onnx.NodeProto], initializers: list[onnx.TensorProto]) -> None:
    """A graph whose first node takes the face and whose last one answers."""
    spec = brightness_spec("x")
    graph = helper.make_graph(
        nodes,
        "bad",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *spec.input.row_shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    path.write_bytes(model.SerializeToString())


def huge(path: Path, *, of_the_face: bool) -> None:
    """A tensor of 100 GB, which is the same for every face or depends on it."""
    shape = numpy_helper.from_array(np.array([25_000, 1_000_000], np.int64), "shape")
    columns = numpy_helper.from_array(np.array([1, 2], np.int64), "columns")
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Expand", ["flat" if of_the_face else "one", "shape"], ["large"]),
        helper.make_node("ReduceMax", ["large"], ["most"], keepdims=0),
        helper.make_node("Add", ["flat", "most"], ["sum"]),
        helper.make_node("Expand", ["sum", "columns"], ["probabilities"]),
    ]
    save(path, nodes, [shape, columns, numpy_helper.from_array(np.ones((1, 1), np.float32), "one")])


def external(path: Path, location: str) -> None:
    """Weights in another file."""
    weights = numpy_helper.from_array(np.ones((64, 2), np.float32), "weights")
    size = len(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(size))):
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["probabilities"]),
    ]
    save(path, nodes, [weights])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    put(folder, "mood", "1")
    (folder.parent / "secret.bin").write_bytes(np.ones(128, np.float32).tobytes())
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    config = EngineConfig(model="mood", model_repository=str(folder), threads=1, max_batch_size=1, detector="none")
    with Engine(config) as engine, running_server(engine, admin=True) as address:
        yield address


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-100]), "got a file that is cut off or of another"),
    "no ONNX": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" * 9), "must be an ONNX file, got an HDF5 file"),
    "100 GB at once": (
        lambda path: huge(path, of_the_face=False),
        "must (be a model that ONNX Runtime can load|run on)",
    ),
    "100 GB per face": (lambda path: huge(path, of_the_face=True), "model must run on one row here"),
    "weights of others": (lambda path: external(path, "../../../secret.bin"), "must be a model that ONNX Runtime"),
    "weights anywhere": (lambda path: external(path, "/etc/hostname"), "must be a model that ONNX Runtime can load"),
    "weights nowhere": (lambda path: external(path, "weights.bin"), "must be a model that ONNX Runtime can load"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_sentence_and_the_rest_goes_on(address: str, folder: Path, kind: str) -> None:
    make, message = BAD[kind]
    path = put(folder, "bad", "1")
    make(path)
    with pytest.raises(ModelLoadError) as refused:
        load_model(address, "bad")
    text = str(refused.value)
    assert re.search(message, text)
    assert text.startswith("cannot load 'bad': ")
    assert "; what was served before goes on" in text
    assert "\n" not in text
    assert str(folder.parent) not in text, "nobody is told paths of the server"
    with ferserve.Client(address) as client:
        assert client.classify(np.full((64, 64), 255, np.uint8), BOX).faces[0].emotion == "bright"
        assert [m.name for m in client.models() if m.name == "bad"] == []


def test_weights_beside_the_graph_are_its_own(address: str, folder: Path) -> None:
    path = put(folder, "split", "1")
    external(path, "weights.bin")
    (path.parent / "weights.bin").write_bytes(np.full(128, 1 / 128, np.float32).tobytes())
    assert [m.state.value for m in load_model(address, "split")] == ["ready"]
