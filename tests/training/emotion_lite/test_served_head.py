"""The served head: fitted from both raw heads, written into an exported file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.metrics import recall_score

from ferserve.labels import CLEAR, FER2013, FERPLUS
from ferserve.models.spec import HeadSpec, InputSpec, ModelSpec
from training.common.export import embed_spec
from training.emotion_lite.served_head import ServedHead, attach, fit_served_head, raw_log_probabilities
from training.emotion_lite.voted_samples import VotedSamples
from training.errors import TrainingError
from training.evaluation.evaluate import evaluate
from training.evaluation.served_model import ServedModel

ANGER, NEUTRAL, CONTEMPT = (FERPLUS.index(label) for label in ("anger", "neutral", "contempt"))


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A file as the recipe exports it: one random matrix for the network, and three raw heads."""
    rng = np.random.default_rng(3)
    sizes = {"emotion": 8, "emotion_fer2013": 7, "clarity": 2}
    weights = [numpy_helper.from_array(rng.normal(0, 0.02, (2304, 17)).astype(np.float32), "kernel")]
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "kernel"], ["logits"], name="logits"),
    ]
    start = 0
    for name, size in sizes.items():
        cut = [
            numpy_helper.from_array(np.array([value]), f"{name}.{key}")
            for key, value in (("from", start), ("to", start + size), ("axis", 1))
        ]
        weights += cut
        nodes.append(helper.make_node("Slice", ["logits", *(c.name for c in cut)], [f"{name}.logits"]))
        nodes.append(helper.make_node("Softmax", [f"{name}.logits"], [name], name=name, axis=-1))
        start += size
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name, size in sizes.items()]
    source = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, 48, 48])
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(helper.make_graph(nodes, "g", [source], ends, weights), opset_imports=opset, ir_version=8)
    heads = (
        HeadSpec("emotion", FERPLUS, output="emotion"),
        HeadSpec("emotion_fer2013", FER2013, output="emotion_fer2013"),
        HeadSpec("clarity", (CLEAR, "unclear"), output="clarity"),
    )
    embed_spec(model, ModelSpec(name="tiny", version="1", input=InputSpec(48, 48), heads=heads))
    path = tmp_path / "tiny.onnx"
    onnx.save(model, path)
    return path


def _images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), np.uint8)


def _random_head(seed: int = 1) -> ServedHead:
    rng = np.random.default_rng(seed)
    return ServedHead(rng.normal(0, 1, (8, 15)), rng.normal(0, 1, 8))


def _posed(count: int = 4000) -> tuple[np.ndarray, VotedSamples]:
    """Log probabilities of two raw heads and the truth: taggers call half of the angry faces neutral, and so does
    FER+'s head; FER2013's head knows better.
    """
    rng = np.random.default_rng(5)
    posed = rng.choice([FER2013.index("angry"), FER2013.index("neutral")], count, p=[0.3, 0.7])
    angry = posed == FER2013.index("angry")
    majority = np.where(angry & (rng.random(count) < 0.5), ANGER, NEUTRAL)
    votes = np.zeros((count, 10), np.int64)
    votes[np.arange(count), majority] = 10
    ferplus, fer2013 = rng.normal(0, 0.3, (count, 8)), rng.normal(0, 0.3, (count, 7))
    ferplus[:, NEUTRAL] += 2.5
    ferplus[np.arange(count), majority] += 1.0
    fer2013[np.arange(count), posed] += 2.0
    samples = VotedSamples(np.zeros((count, 48, 48), np.uint8), posed, votes)
    return np.concatenate([ferplus, fer2013], axis=1), samples


def test_the_fit_finds_anger_that_the_raw_head_calls_neutral() -> None:
    raw, samples = _posed()
    truth = np.where(samples.labels == FER2013.index("angry"), ANGER, NEUTRAL)
    served = fit_served_head(raw, samples).logits(raw)
    before = recall_score(truth, raw[:, :8].argmax(axis=1), labels=[ANGER], average=None)[0]
    after = recall_score(truth, served.argmax(axis=1), labels=[ANGER], average=None)[0]
    assert after > before + 0.3


def test_what_is_common_to_a_head_does_not_matter() -> None:
    raw, samples = _posed(500)
    head = fit_served_head(raw, samples)
    shifted = raw + np.concatenate([np.full(8, 3.0), np.full(7, -5.0)])
    np.testing.assert_allclose(head.logits(shifted), head.logits(raw), atol=1e-8)


def test_the_file_answers_what_the_head_says_and_its_raw_heads_as_before(exported: Path) -> None:
    images, head = _images(20), _random_head()
    before = ServedModel(exported)
    raw_answers = before.answers(before.rows(images))
    raw = raw_log_probabilities(exported, images)
    np.testing.assert_allclose(np.exp(raw), np.concatenate(raw_answers[:2], axis=1), atol=1e-6)
    attach(exported, head)
    after = ServedModel(exported)
    names = [h.name for h in after.spec.heads]
    assert names == ["emotion", "emotion_ferplus", "emotion_fer2013", "clarity"]
    served, *rest = after.answers(after.rows(images))
    for was, now in zip(raw_answers, rest, strict=True):
        np.testing.assert_allclose(now, was, atol=1e-6)
    powers = np.exp(head.logits(_logits(exported, images)))
    np.testing.assert_allclose(served, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


def _logits(path: Path, images: np.ndarray) -> np.ndarray:
    """(N, 15) of the raw heads, from the kernel in the file."""
    model = onnx.load(path)
    kernel = next(numpy_helper.to_array(w) for w in model.graph.initializer if w.name == "kernel")
    return ServedModel(path).rows(images).reshape(len(images), -1) @ kernel[:, :15]


def test_a_second_head_takes_the_place_of_the_first(exported: Path) -> None:
    images = _images(5)
    attach(exported, _random_head(1))
    size = len(onnx.load(exported).graph.node)
    attach(exported, _random_head(2))
    graph = onnx.load(exported).graph
    assert len(graph.node) == size
    assert [w.name for w in graph.initializer].count("served.matrix") == 1
    wanted = np.exp(_random_head(2).logits(_logits(exported, images)))
    model = ServedModel(exported)
    np.testing.assert_allclose(model.answers(model.rows(images))[0], wanted / wanted.sum(1, keepdims=True), atol=1e-5)


def test_a_head_is_judged_by_the_other_sets_labels(exported: Path, tmp_path: Path) -> None:
    """Contempt, which FER2013 lacks, is a wrong answer there."""
    attach(exported, ServedHead(np.zeros((8, 15)), np.eye(8)[CONTEMPT] * 9))
    data = tmp_path / "faces.npz"
    np.savez(data, images=_images(14), labels=np.arange(14) % 7)
    found = evaluate(exported, data, "emotion", seconds=0.0, labels="fer2013")
    assert found.scores.accuracy == 0
    attach(exported, ServedHead(np.zeros((8, 15)), np.eye(8)[ANGER] * 9))
    found = evaluate(exported, data, "emotion", seconds=0.0, labels="fer2013")
    assert found.scores.accuracy == pytest.approx(1 / 7)
    assert found.scores.balanced_accuracy == pytest.approx(1 / 7)
    with pytest.raises(TrainingError, match="labels must be fer2013"):
        evaluate(exported, data, "emotion_fer2013", seconds=0.0, labels="ferplus")
    with pytest.raises(TrainingError, match="named 'mood'"):
        evaluate(exported, data, "mood", seconds=0.0)
