"""Networks that learn from others: the teachers' answers, and faces that only teachers know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("keras", reason="training needs the training extra")
pytest.importorskip("onnx", reason="training needs the training extra")

import onnx

from tests.training.emotion_lite.sets import TINY
from training import __main__ as command
from training.common.export import embed_spec, read_spec
from training.emotion_lite.augment import NO_AUGMENTATION
from training.emotion_lite.fit import FitOptions, batches, teach
from training.emotion_lite.job import train_model
from training.emotion_lite.teachers import Teachers
from training.emotion_lite.unlabelled import add_faces, cut_faces
from training.emotion_lite.voted_samples import load_voted_samples, make_targets
from training.errors import DataError, TrainingError
from training.models.emotion_stages import split_heads


def test_teachers_answer_for_the_very_pixels_that_are_learnt(released: Path, data: Path, tmp_path: Path) -> None:
    train, test = load_voted_samples(data)
    file = released / "emotion-lite.onnx"
    options = FitOptions(epochs=1, batch_size=32, teachers=(file,), taught=0.75)
    teachers, targets = Teachers(options.teachers), make_targets(train)
    x, mixed = next(batches(train.images, targets, 0, options, teachers=teachers))
    _, labels = next(batches(train.images, targets, 0, options))
    answers = teachers.answer(x)
    np.testing.assert_allclose(mixed, 0.25 * labels + 0.75 * answers, atol=1e-6)
    for head in split_heads(answers).values():
        np.testing.assert_allclose(head.sum(axis=1), 1, rtol=1e-4)
    session = onnxruntime.InferenceSession(file)
    (emotion,) = session.run(["emotion_ferplus"], {session.get_inputs()[0].name: x[:1].reshape(1, 1, 48, 48)})
    np.testing.assert_allclose(answers[:1, :8], emotion, atol=1e-5)
    train_model(TINY, train.images, targets, test, options, tmp_path)
    assert not Teachers(())


def test_a_teacher_that_is_none_is_named_before_anything_is_trained(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, out = tmp_path / "text.onnx", tmp_path / "run"
    text.write_text("no graph")
    for weights, message in ((tmp_path / "nowhere.onnx", "nowhere.onnx"), (text, "must be an ONNX file")):
        argv = ["run", "emotion_lite", "--data", str(data), "--out", str(out), "--weights", str(weights)]
        assert command.main(argv) == 2
        assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_teacher_with_other_heads_or_pixels_is_named(released: Path, tmp_path: Path) -> None:
    model, path = onnx.load(released / "emotion-lite.onnx"), tmp_path / "other.onnx"
    spec = read_spec(released / "emotion-lite.onnx")
    for other, message in (
        (replace(spec, heads=spec.heads[:3]), "teacher's heads must be"),
        (replace(spec, input=replace(spec.input, mean=(0.0,))), "teacher's input must be"),
    ):
        embed_spec(model, other)
        onnx.save(model, path)
        with pytest.raises(TrainingError, match=message):
            Teachers((path,))


def test_faces_without_labels_are_learnt_from_the_teachers_alone(released: Path, data: Path, photographs: Path) -> None:
    faces = cut_faces(photographs)
    assert faces.shape == (1, 48, 48)
    train, _ = load_voted_samples(data)
    images, targets = add_faces(train.images[:31], make_targets(train)[:31], faces)
    teachers = Teachers((released / "emotion-lite.onnx",))
    options = FitOptions(batch_size=32, augmentation=NO_AUGMENTATION, taught=0.3)
    x, taught = next(batches(images, targets, 0, options, teachers=teachers))
    _, labels = next(batches(images, targets, 0, options))
    unknown = labels.sum(axis=1) == 0
    assert unknown.sum() == 1
    answers = teachers.answer(x)
    np.testing.assert_allclose(taught[unknown], answers[unknown], atol=1e-6)
    np.testing.assert_allclose(taught[~unknown], 0.7 * labels[~unknown] + 0.3 * answers[~unknown], atol=1e-6)


def test_a_mixed_row_lacks_only_what_it_has_no_label_for() -> None:
    label, answer = np.zeros((1, 17), np.float32), np.zeros((1, 17), np.float32)
    label[0, [0, 8, 15]] = 1
    answer[0, [1, 9, 16]] = 1
    np.testing.assert_allclose(teach(0.75 * label, answer, 0.0), 0.75 * label + 0.25 * answer)


def test_a_folder_without_faces_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="faces must name a folder of photographs with faces"):
        cut_faces(tmp_path)
    (tmp_path / "torn.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"torn\.jpg: photograph must be a readable picture"):
        cut_faces(tmp_path)
