"""Pulled models: the right file or none, and what was there before stays."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ferserve.errors import ModelNotFoundError, ModelPullError
from ferserve.models import pull as model_pull
from ferserve.models.pull import PULLABLE, PullableModel, default_pull_dir, pull_model, pulled_model

BYTES = b"the right file"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PullableModel:
    """A pullable model of a few bytes whose address is a file."""
    published = tmp_path / "published.onnx"
    published.write_bytes(BYTES)
    model = PullableModel("tiny", published.as_uri(), hashlib.sha256(BYTES).hexdigest(), "MIT", "a test")
    monkeypatch.setitem(PULLABLE, "tiny", model)
    return model


def test_a_model_is_fetched_from_its_address(tiny: PullableModel, tmp_path: Path) -> None:
    path = pull_model("tiny", folder=tmp_path / "new" / "folder")
    assert path.read_bytes() == BYTES
    assert pulled_model("tiny", path.parent) == path
    assert [p.name for p in path.parent.iterdir()] == ["tiny.onnx"]


def test_a_model_is_taken_from_a_file(tiny: PullableModel, tmp_path: Path) -> None:
    source = tmp_path / "from_a_stick.bin"
    source.write_bytes(BYTES)
    assert pull_model("tiny", source, tmp_path / "models").read_bytes() == BYTES


def test_a_wrong_file_changes_nothing(tiny: PullableModel, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    kept = pull_model("tiny", folder=folder)
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"another file")
    words = (
        rf"must have the SHA-256 {tiny.sha256}, got [0-9a-f]{{64}} in 12 bytes; nothing .* the right file is at file:"
    )
    with pytest.raises(ModelPullError, match=words):
        pull_model("tiny", wrong, folder)
    assert kept.read_bytes() == BYTES
    assert [p.name for p in folder.iterdir()] == ["tiny.onnx"]


def test_no_network_is_said_with_the_way_out(
    tiny: PullableModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = PullableModel("tiny", "http://127.0.0.1:9/tiny.onnx", tiny.sha256, "MIT", "a test")
    monkeypatch.setitem(PULLABLE, "tiny", nowhere)
    with pytest.raises(ModelPullError, match=r"must be reachable, got .*--from FILE"):
        pull_model("tiny", folder=tmp_path)


def test_a_file_that_is_not_there(tiny: PullableModel, tmp_path: Path) -> None:
    with pytest.raises(ModelPullError, match=r"nothing must be a readable file, got .*; the right file is at file:"):
        pull_model("tiny", tmp_path / "nothing", tmp_path)
    with pytest.raises(ModelPullError, match=r"must be a readable file, got .*; the right file is at file:"):
        pull_model("tiny", tmp_path, tmp_path)


@pytest.mark.parametrize("damage", [b"", BYTES[:3], BYTES + b"more", b"another file"])
def test_a_pulled_file_that_was_damaged_since_is_not_used(tiny: PullableModel, tmp_path: Path, damage: bytes) -> None:
    path = pull_model("tiny", folder=tmp_path)
    path.write_bytes(damage)
    with pytest.raises(ModelPullError, match=r"must have the SHA-256 .*; run `ferserve models pull tiny` again"):
        pulled_model("tiny", tmp_path)
    assert pulled_model("tiny", pull_model("tiny", folder=tmp_path).parent) == path


def test_a_folder_that_cannot_be_written(tiny: PullableModel, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(ModelPullError, match=r"must be writable, got .*FERSERVE_PULL_DIR"):
        pull_model("tiny", folder=blocked)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="model must be one of yunet to be pulled, got 'retinaface'"):
        pull_model("retinaface", folder=tmp_path)


def test_what_was_not_pulled_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="run `ferserve models pull yunet`"):
        pulled_model("yunet", tmp_path)


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FERSERVE_PULL_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_pull_dir() == Path("/data/ferserve/models")
    monkeypatch.setenv("FERSERVE_PULL_DIR", "/elsewhere")
    assert default_pull_dir() == Path("/elsewhere")


def test_the_teachers_file_is_the_one_that_is_pinned(yunet_file: Path, tmp_path: Path) -> None:
    assert pull_model("yunet", yunet_file, tmp_path).stat().st_size == 232_589


def test_addresses_are_pinned_to_a_commit() -> None:
    assert model_pull.PULLABLE["yunet"].url.startswith("https://")
    assert "82b38c8f98e7b52aa171400f3e4c722352d0669f" in model_pull.PULLABLE["yunet"].url


def test_the_command_line_pulls_and_says_where(yunet_file: Path, tmp_path: Path) -> None:
    done = _pull("yunet", "--from", str(yunet_file), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "YuNet, OpenCV's face detector for colour pictures, licence MIT\n")
    assert done.stdout.strip() == str(tmp_path / "yunet.onnx")
    assert pulled_model("yunet", tmp_path).is_file()


def test_the_command_line_refuses_another_file_in_one_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"another file")
    done = _pull("yunet", "--from", str(wrong), folder=tmp_path / "models")
    assert done.returncode == 1
    assert done.stderr.startswith("ferserve: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "models").exists()


def _pull(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ferserve", "models", "pull", *arguments]
    env = {**os.environ, "FERSERVE_PULL_DIR": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, timeout=50, env=env, check=False)
