"""``ferserve tune`` measures, chooses and writes."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ferserve.cli.app import app
from ferserve.cli.tune import with_setting, write_setting
from ferserve.config_sources import load_config
from ferserve.errors import ConfigError
from tests.tiny_models import write_brightness_model


def test_the_table_is_shown_and_the_choice_written(tmp_path: Path) -> None:
    pytest.importorskip("tomllib", reason="TOML needs Python 3.11")
    config = tmp_path / "ferserve.toml"
    model = write_brightness_model(tmp_path / "m.onnx")
    arguments = ["tune", "--model", str(model), "--seconds", "0.3", "--config", str(config), "--write"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert all(f" {size} " in result.output for size in (1, 4, 16)), "the table that was chosen from"
    assert "faces/s" in result.output
    assert load_config(config, env={}).engine.max_batch_size in (1, 4, 16)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[engine]\nkey = 4\n"),
        ("[engine]\nkey = 1\nother = 2\n", "[engine]\nkey = 4\nother = 2\n"),
        ("[engine]", "[engine]\nkey = 4\n"),
        ("[ engine ]  # mine\n key=1 # was\n", "[ engine ]  # mine\nkey = 4\n"),
        ("# mine\n[server]\nport = 1\n", "# mine\n[server]\nport = 1\n\n[engine]\nkey = 4\n"),
        ("[engine]\na = 1\n[server]\nkey = 9\n", "[engine]\nkey = 4\na = 1\n[server]\nkey = 9\n"),
    ],
)
def test_everything_else_in_the_file_stays(before: str, after: str) -> None:
    assert with_setting(before, "key", 4) == after


@pytest.mark.parametrize("text", ["engine.max_faces = 3\n", "engine = { max_faces = 3 }\n"])
def test_a_file_of_another_form_is_left_alone(text: str, tmp_path: Path) -> None:
    pytest.importorskip("tomllib", reason="TOML needs Python 3.11")
    config = tmp_path / "ferserve.toml"
    config.write_text(text)
    with pytest.raises(ConfigError, match=r"in a table \[engine\], got another form; .* by hand"):
        write_setting(config, "max_batch_size", 4)
    assert config.read_text() == text


def test_a_file_that_cannot_be_written_is_said_without_a_stack_trace(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config file must be writable, got .*No such file or directory"):
        write_setting(tmp_path / "nowhere" / "ferserve.toml", "max_batch_size", 4)
