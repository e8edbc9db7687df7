"""``python -m training.emotion_lite.ensemble``: the mean of what models answer."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ferserve.models.store import BUNDLED_DIR
from tests.training.emotion_lite.sets import make_faces
from training.common.export import embed_spec, read_spec
from training.emotion_lite import ensemble
from training.evaluation.evaluate import evaluate
from training.evaluation.labelled import load_labelled
from training.evaluation.served_model import ServedModel

MODELS = (BUNDLED_DIR / "emotion-lite.onnx", BUNDLED_DIR / "emotion-lite-int8.onnx")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    np.savez(tmp_path / "faces.npz", **make_faces(30))
    return tmp_path / "faces.npz"


def test_one_alone_is_what_evaluate_says_and_all_are_the_mean(data: Path) -> None:
    found = ensemble.accuracies(MODELS, data, "ferplus")
    assert list(found) == [MODELS[:1], MODELS[1:], MODELS]
    for model in MODELS:
        assert found[(model,)] == evaluate(model, data, "ferplus", seconds=0.0).scores.accuracy
    rows = load_labelled(data, "ferplus")
    served = [ServedModel(model) for model in MODELS]
    mean = sum(one.in_order(one.rows(rows.images), "ferplus") for one in served)
    assert found[MODELS] == (np.asarray(mean).argmax(axis=1) == rows.truth).mean()


def test_a_head_with_its_labels_in_another_order_means_the_same(data: Path, tmp_path: Path) -> None:
    """Columns and labels turned round together: the same answers under the same names."""
    onnx = pytest.importorskip("onnx")
    model, spec = onnx.load(MODELS[0]), read_spec(MODELS[0])
    turned = tuple(reversed(range(len(spec.heads[0].labels))))
    (product,) = (node for node in model.graph.node if spec.heads[0].output in node.output)
    inner = f"{product.output[0]}_straight"
    product.output[0] = inner
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(turned, np.int64), "turned"))
    model.graph.node.append(onnx.helper.make_node("Gather", [inner, "turned"], [spec.heads[0].output], axis=1))
    head = dataclasses.replace(spec.heads[0], labels=tuple(spec.heads[0].labels[i] for i in turned))
    embed_spec(model, dataclasses.replace(spec, heads=(head, *spec.heads[1:])))
    onnx.save(model, tmp_path / "turned.onnx")
    found = ensemble.accuracies([MODELS[0], tmp_path / "turned.onnx"], data, "ferplus")
    assert len(set(found.values())) == 1


def test_the_table_has_a_row_for_each_combination(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["ensemble", *map(str, MODELS), "--data", str(data)])
    ensemble.main()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "| models | fer2013 | ferplus |"
    assert len(said) == 2 + 3
    assert said[-1].startswith(f"| {MODELS[0]} + {MODELS[1]} | ")
