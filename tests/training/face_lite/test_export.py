"""The served graph of face-lite against Keras."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ferserve.detection.factory import read_detector_spec
from ferserve.models.detector_spec import DetectorSpec
from tests.training.face_lite.sets import SMALL
from training.face_lite.export import export_face_lite
from training.models.face_lite import build_face_lite


@pytest.mark.parametrize("size", [(64, 64), (96, 160)])
def test_the_served_graph_answers_as_keras_does(size: tuple[int, int], tmp_path: Path) -> None:
    import onnxruntime

    keras.utils.set_random_seed(3)
    network = build_face_lite(*size, SMALL)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if "moving" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    path = tmp_path / "face.onnx"
    spec = DetectorSpec("face", "1", license="Apache-2.0")
    export_face_lite(network, SMALL, spec, path)
    assert read_detector_spec(path) == spec
    luma = rng.integers(0, 256, (1, *size, 1), dtype=np.uint8)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    served = session.run(None, {"luma": luma.reshape(1, 1, *size)})[0]
    trained = np.asarray(network(luma))[0].T
    assert served.shape == trained.shape
    np.testing.assert_allclose(served, trained, atol=5e-3 * np.abs(trained).max())
