"""The tables of a run as its work shows them, printed by one command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ferserve.labels import FER2013
from tests.training import sets
from training.__main__ import main
from training.classification.figures import epochs_table, mean_probabilities, probabilities_table
from training.classification.manifest import parts_of_run
from training.common.export import read_spec
from training.evaluation.evaluate_run import predict_file
from training.evaluation.metrics import Predictions


def test_a_fifth_of_the_training_images_picks_the_epoch_and_the_tests_stand_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The FER2013 study's protocol, and its tables printed by one command."""
    data, out = sets.fer2013_csv(tmp_path / "data", per_class=6), tmp_path / "out"
    argv = ["run", "fer2013_cnn3", "--data", str(data), "--out", str(out), "--epochs", "3"]
    assert main([*argv, "--batch", "16", "--init", "he_uniform"]) == 0
    state = json.loads((out / "checkpoints" / "state.json").read_text())
    history = state["history"]
    picked = history["val_accuracy"].index(max(history["val_accuracy"]))
    assert state["best"] == f"epoch-{picked + 1:04d}.keras"
    assert history["learning_rate"] == pytest.approx([5e-4] * 3)

    capsys.readouterr()
    assert main(["report", str(out)]) == 0
    by_part, by_epoch, *_ = told = capsys.readouterr().out.split("\n\n")[1::2]
    lines = by_part.splitlines()
    assert lines[0] == "| part | head | images | loss | accuracy |"
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| train",
        "| validation",
        "| public_test",
        "| private_test",
    ]
    assert lines[2].split(" | ")[2:4] == ["35", f"{history['loss'][picked]:.4f}"]
    assert by_epoch.splitlines()[0] == "| epoch | emotion training % | emotion validation % |"
    assert by_epoch.splitlines()[2].startswith("| 0 | ")
    assert told[-1].splitlines()[0] == f"| true class | {' | '.join(FER2013)} | prediction |"
    assert by_part in (out / "MODEL_CARD.md").read_text()
    assert "batches of 16; initial weights: none, he_uniform" in (out / "MODEL_CARD.md").read_text()
    assert (out / "classes.png").stat().st_size > 0
    check_loss(data, out, lines[4])

    assert main([*argv, "--resume"]) == 2
    assert "batch must be 16 as in the run to resume, got None" in capsys.readouterr().err
    (out / "report.json").unlink()
    assert main(["report", str(out)]) == 2
    assert "got one that stands at epoch 3; wait for its end, or go on with" in capsys.readouterr().err


def check_loss(data: Path, out: Path, line: str) -> None:
    """The loss of PublicTest, in the table and in its report, is the cross-entropy of the exported model's answers."""
    part = parts_of_run(out, data)[1].tests["public_test"]
    predicted = predict_file(out / "model.onnx", read_spec(out / "model.onnx"), part)["emotion"]
    expected = -np.log(predicted.probabilities[np.arange(14), predicted.truth]).mean()
    assert f"{expected:.3f}" in line
    assert f"loss {expected:.3f}" in (out / "report-public_test-emotion.txt").read_text()


def test_the_face_attributes_table_has_epochs_0_5_10_15_and_the_test() -> None:
    heads = ("emotion", "age_group", "gender")
    keys = [f"{prefix}{head}_accuracy" for head in heads for prefix in ("", "val_")]
    history = {key: [0.5 + epoch / 100 for epoch in range(20)] for key in keys} | {"loss": [1.0] * 20}
    figures = [{"part": part, "head": head, "accuracy": 0.7} for part in ("train", "test") for head in heads]
    heading, _, *rows = epochs_table({"history": history, "figures": figures}).splitlines()
    assert heading.split(" | ")[:3] == ["| epoch", "emotion training %", "emotion validation %"]
    assert [row.split(" | ")[0] for row in rows] == ["| 0", "| 5", "| 10", "| 15", "| test"]
    assert rows[1] == "| 5 | 55.0 | 55.0 | 55.0 | 55.0 | 55.0 | 55.0 |"
    assert rows[-1] == "| test |  | 70.0 |  | 70.0 |  | 70.0 |"


def test_light_fers_first_table_gives_the_mean_probability_per_class_and_its_prediction() -> None:
    answers = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    found = Predictions(("happy", "sad", "calm"), np.array([0, 0, 1]), answers)
    means = mean_probabilities(found)
    assert means == [[0.4, 0.5, 0.1], [0.1, 0.2, 0.7], None]
    heading, _, *rows = probabilities_table(found.labels, means).splitlines()
    assert heading == "| true class | happy | sad | calm | prediction |"
    assert rows == ["| happy | 0.400 | 0.500 | 0.100 | sad |", "| sad | 0.100 | 0.200 | 0.700 | calm |",
                    "| calm |  |  |  |  |"]  # fmt: skip
