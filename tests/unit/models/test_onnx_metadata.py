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


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"\xff\xd8\xff\xe0", "a JPEG picture; `ferserve classify`"),
        (b"II*\0", "a TIFF picture; `ferserve classify`"),
        (b"\0\0\0\x18ftypmp42", "an MP4 video, or a HEIC or AVIF picture; `ferserve classify`"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras wrote them; export it to ONNX"),
        (b"PK\3\4\x14\0", "a ZIP archive, as PyTorch and Keras write them; export it to ONNX"),
        (b"\x1c\0\0\0TFL3", "a TensorFlow Lite model; export it to ONNX"),
        (b"no model at all", "a file that is cut off or of another kind"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path: Path, head: bytes, told: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(head + bytes(100))
    with pytest.raises(ValueError, match=f"^{told}"):
        read_metadata(path)
