"""The metadata reader agrees with the onnx package and survives rubbish."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from ferserve.models.onnx_metadata import read_metadata


def _model(metadata: dict[str, str]) -> onnx.ModelProto:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 2])
    weights = onnx.numpy_helper.from_array(np.ones((2, 300), np.float32), "w")
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 300])
    model = helper.make_model(
        helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [value], [out], [weights])
    )
    helper.set_model_props(model, metadata)
    return model


@pytest.mark.parametrize("metadata", [{}, {"a": "1", "naïve": "ünïcode " * 500}, {"empty": ""}])
def test_equals_the_onnx_package(tmp_path: Path, metadata: dict[str, str]) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(_model(metadata), path)
    assert read_metadata(path) == {p.key: p.value for p in onnx.load(path).metadata_props} == metadata


def test_rubbish_and_every_cut_of_a_real_file_are_value_errors(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    whole = _model({"key": "value"}).SerializeToString()
    random = np.random.default_rng(1)
    rubbish = [b"", b"\xff" * 40, b"not a model"] + [random.bytes(200) for _ in range(50)]
    for data in rubbish + [whole[:cut] for cut in range(0, len(whole), 7)]:
        path.write_bytes(data)
        try:
            read_metadata(path)
        except ValueError:
            continue
