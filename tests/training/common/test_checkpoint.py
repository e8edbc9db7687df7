"""Runs can be resumed, and the last good checkpoint survives every failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from tests.training.disk import full_disk
from training.__main__ import main
from training.classification.augment import Augmentation
from training.classification.recipe import Pruning
from training.common.checkpoint import Checkpoint, load_model, load_state
from training.errors import CheckpointError, TrainingError
from training.models.heads import softmax_heads
from training.models.request import ModelRequest
from training.recipe import RunOptions, get_recipe


def run(data: Path, out: Path, *options: str, recipe: str = "fer2013_cnn3") -> int:
    return main(["run", recipe, "--data", str(data), "--out", str(out), *options])


FirstEpoch = Callable[[str, Path], Path]


@pytest.fixture
def data(fer2013: Path) -> Path:
    return fer2013


@pytest.fixture
def out(first_epoch: FirstEpoch, tmp_path: Path) -> Path:
    """The folder of a run of fer2013_cnn3 over one epoch."""
    return first_epoch("fer2013_cnn3", tmp_path / "out")


def losses(out: Path) -> list[float]:
    return list(json.loads((out / "checkpoints" / "state.json").read_text())["history"]["loss"])


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    data: Path, first_epoch: FirstEpoch, tmp_path: Path
) -> None:
    assert run(data, tmp_path / "whole", "--epochs", "2") == 0
    first_epoch("fer2013_cnn3", tmp_path / "parts")
    assert run(data, tmp_path / "parts", "--epochs", "2", "--resume") == 0
    np.testing.assert_allclose(losses(tmp_path / "parts"), losses(tmp_path / "whole"), rtol=1e-4)
    report = json.loads((tmp_path / "parts" / "report.json").read_text())
    assert len(report["history"]["loss"]) == 2


class Stopped(Checkpoint):
    """Stops as Ctrl+C does, when the first epoch is saved."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        raise KeyboardInterrupt


def dropping(request: ModelRequest) -> Any:
    """A small network that draws: dropout on its pixels and on its features."""
    image = keras.Input(request.shape, name="input")
    x = layers.Dropout(0.3)(image)
    x = layers.Flatten()(layers.MaxPooling2D(4)(x))
    x = layers.Dropout(0.5)(layers.Dense(32, activation="relu")(x))
    return keras.Model(image, softmax_heads(x, request.heads))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_stopped_run_of_a_network_that_draws_and_is_pruned_ends_where_a_whole_one_does(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout, augmentation, order, masks: nothing may tell that the run was stopped in the middle of its pruning."""
    recipe = replace(
        get_recipe("fer2013_cnn3"),  # type: ignore[type-var]
        build=dropping,
        batch_size=1,
        learning_rate=0.01,
        augmentation=Augmentation(flip_horizontal=True),
        pruning=Pruning(0.6, begin=0.0, end=1.0),
    )
    options = RunOptions(data, tmp_path / "whole", epochs=3)
    recipe.run(options)
    parts = replace(options, out=tmp_path / "parts")
    with monkeypatch.context() as patch:
        patch.setattr("training.classification.run.Checkpoint", Stopped)
        with pytest.raises(KeyboardInterrupt):
            recipe.run(parts)
    keras.utils.set_random_seed(9)
    recipe.run(replace(parts, resume=True))
    whole, resumed = (load_model(folder / "model.keras") for folder in (options.out, parts.out))
    np.testing.assert_allclose(losses(parts.out), losses(options.out), rtol=5e-4)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one == 0, other == 0)
        np.testing.assert_allclose(one, other, atol=1e-3)


class Wild(Augmentation):
    """Spoils the images that it is given."""

    def apply(self, images: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        return np.full_like(images, np.nan)


def linear(request: ModelRequest) -> Any:
    """One layer, through which nothing that is no number is lost."""
    image = keras.Input(request.shape, name="input")
    return keras.Model(image, softmax_heads(layers.Flatten()(image), request.heads))


@pytest.mark.timeout(240)
def test_an_epoch_that_diverged_leaves_the_good_checkpoint(data: Path, tmp_path: Path) -> None:
    recipe = replace(get_recipe("fer2013_cnn3"), build=linear)  # type: ignore[type-var]
    options = RunOptions(data, tmp_path / "out", epochs=1)
    recipe.run(options)
    before = (options.out / "checkpoints" / "state.json").read_text()
    wild = replace(recipe, augmentation=Wild(flip_horizontal=True))
    with pytest.raises(TrainingError, match=r"loss must be a finite number, got nan in epoch 2"):
        wild.run(replace(options, epochs=3, resume=True))
    assert (options.out / "checkpoints" / "state.json").read_text() == before
    assert [file.name for file in (options.out / "checkpoints").glob("*.keras")] == ["epoch-0001.keras"]
    recipe.run(replace(options, epochs=2, resume=True))
    assert np.isfinite(losses(options.out)).all()


def test_a_folder_with_a_run_is_not_overwritten(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = losses(out)
    assert run(data, out, "--epochs", "1") == 2
    assert "folder must hold no run, got one of fer2013_cnn3; --resume it" in capsys.readouterr().err
    assert losses(out) == before


@pytest.mark.parametrize(("recipe", "state"), [("emotion_lite", "generation0/state.npz"), ("face_lite", "state.npz")])
def test_a_folder_with_a_run_of_the_bundled_recipes_is_not_overwritten(
    recipe: str, state: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out" / state
    file.parent.mkdir(parents=True)
    file.write_bytes(b"hours of work")
    assert run(data.parent, tmp_path / "out", recipe=recipe) == 2
    assert f"folder must hold no run, got {file}; --resume it or move it" in capsys.readouterr().err
    assert file.read_bytes() == b"hours of work"


def test_a_checkpoint_of_another_recipe_or_seed_is_refused(
    data: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, out, "--resume", recipe="fer2013_dense") == 2
    message = capsys.readouterr().err
    assert "state.json: recipe must be fer2013_dense, got fer2013_cnn3" in message
    assert run(data, out, "--resume", "--seed", "2") == 2
    assert "seed must be 1 as in the run to resume, got 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--balanced"], "balanced must be False as in the run to resume, got True"),
        (["--limit", "14"], "limit must be None as in the run to resume, got 14"),
    ],
)
def test_a_run_on_other_images_is_not_resumed(
    option: list[str], message: str, data: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the first part held out, the second might learn."""
    assert run(data, out, "--epochs", "2", "--resume", *option) == 2
    assert f"run.json: {message}" in capsys.readouterr().err
    assert run(data, out, "--epochs", "2", "--resume") == 0


def test_a_damaged_checkpoint_is_named(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    data: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert {file.name for file in folder.iterdir()} == {"state.json", state.last}
    assert run(data, out, "--epochs", "2", "--resume") == 0


def test_a_missing_model_file_raises_our_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.keras: model must be a whole"):
        load_model(tmp_path / "nowhere.keras")
