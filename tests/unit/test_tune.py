"""``ferserve tune`` measures, chooses and writes."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ferserve.cli.app import app
from ferserve.cli.tune import with_setting
from ferserve.config import load_config
from tests.tiny_models import write_brightness_model


def test_the_table_is_shown_and_the_choice_written(tmp_path: Path) -> None:
    pytest.importorskip("tomllib", reason="TOML needs Python 3.11")
    config = tmp_path / "ferserve.toml"
    model = write_brightness_model(tmp_path / "m.onnx")
    arguments = ["tune", "--model", str(model), "--seconds", "0.05", "--config", str(config), "--write"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "faces/s" in result.output
    assert load_config(config, env={}).engine.max_batch_size in (1, 4, 16)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[engine]\nkey = 4\n"),
        ("[engine]\nkey = 1\nother = 2\n", "[engine]\nkey = 4\nother = 2\n"),
        ("[engine]", "[engine]\nkey = 4\n"),
        ("# mine\n[server]\nport = 1\n", "# mine\n[server]\nport = 1\n\n[engine]\nkey = 4\n"),
        ("[engine]\na = 1\n[server]\nkey = 9\n", "[engine]\nkey = 4\na = 1\n[server]\nkey = 9\n"),
    ],
)
def test_everything_else_in_the_file_stays(before: str, after: str) -> None:
    assert with_setting(before, "key", 4) == after
