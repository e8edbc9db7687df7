"""Runs can be resumed, and whatever happens the last good checkpoint is whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training import sets
from tests.training.disk import full_disk
from training.__main__ import main
from training.checkpoint import load_model, load_state
from training.errors import CheckpointError


def run(data: Path, out: Path, *options: str, recipe: str = "fer2013_cnn3") -> int:
    return main(["run", recipe, "--data", str(data), "--out", str(out), *options])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return sets.fer2013_csv(tmp_path / "data")


def losses(out: Path) -> list[float]:
    return list(json.loads((out / "checkpoints" / "state.json").read_text())["history"]["loss"])


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(data: Path, tmp_path: Path) -> None:
    assert run(data, tmp_path / "whole", "--epochs", "2") == 0
    assert run(data, tmp_path / "parts", "--epochs", "1") == 0
    assert run(data, tmp_path / "parts", "--epochs", "2", "--resume") == 0
    np.testing.assert_allclose(losses(tmp_path / "parts"), losses(tmp_path / "whole"), rtol=1e-4)
    report = json.loads((tmp_path / "parts" / "report.json").read_text())
    assert len(report["history"]["loss"]) == 2


def test_a_folder_with_a_run_is_not_overwritten(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, tmp_path / "out", "--epochs", "1") == 0
    before = losses(tmp_path / "out")
    assert run(data, tmp_path / "out", "--epochs", "1") == 2
    assert "folder must hold no run, got one of fer2013_cnn3; --resume it" in capsys.readouterr().err
    assert losses(tmp_path / "out") == before


def test_a_checkpoint_of_another_recipe_or_seed_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, tmp_path / "out", "--epochs", "1") == 0
    assert run(data, tmp_path / "out", "--resume", recipe="fer2013_dense") == 2
    message = capsys.readouterr().err
    assert "state.json: recipe must be fer2013_dense, got fer2013_cnn3" in message
    assert run(data, tmp_path / "out", "--resume", "--seed", "2") == 2
    assert "seed must be 1 as in the run to resume, got 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--balanced"], "balanced must be False as in the run to resume, got True"),
        (["--limit", "14"], "limit must be None as in the run to resume, got 14"),
    ],
)
def test_a_run_on_other_images_is_not_resumed(
    option: list[str], message: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the first part held out, the second might learn."""
    assert run(data, tmp_path / "out", "--epochs", "1") == 0
    assert run(data, tmp_path / "out", "--epochs", "2", "--resume", *option) == 2
    assert f"run.json: {message}" in capsys.readouterr().err
    assert run(data, tmp_path / "out", "--epochs", "2", "--resume") == 0


def test_a_damaged_checkpoint_is_named(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(data, out, "--epochs", "1") == 0
    model = out / "checkpoints" / "epoch-0001.keras"
    content = model.read_bytes()
    model.write_bytes(content[: len(content) // 2])
    assert run(data, out, "--epochs", "2", "--resume") == 2
    assert "epoch-0001.keras: model must be a whole .keras file" in capsys.readouterr().err
    model.unlink()
    assert run(data, out, "--epochs", "2", "--resume") == 2
    assert "epoch-0001.keras: checkpoint must be there, got nothing" in capsys.readouterr().err
    (out / "checkpoints" / "state.json").write_text("{")
    assert run(data, out, "--epochs", "2", "--resume") == 2
    assert "state.json: state must be a whole checkpoint state" in capsys.readouterr().err


def test_a_full_disk_leaves_the_last_good_checkpoint_whole(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(data, out, "--epochs", "1") == 0
    with full_disk(200_000):
        assert run(data, out, "--epochs", "2", "--resume") == 2
    message = capsys.readouterr().err
    assert "epoch-0002.keras: checkpoint must be written whole" in message
    assert "the checkpoint of epoch 1 is whole" in message
    folder = out / "checkpoints"
    state = load_state(folder, "fer2013_cnn3", 1)
    assert state is not None
    assert state.epoch == 1
    assert load_model(folder / state.last).count_params() == 63_431
    assert [file.name for file in folder.iterdir() if "draft" in file.name] == []
    assert run(data, out, "--epochs", "2", "--resume") == 0


def test_a_missing_model_file_raises_our_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.keras: model must be a whole"):
        load_model(tmp_path / "nowhere.keras")
