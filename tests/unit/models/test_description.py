"""The description of a weight file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ferserve.models.description import describe
from ferserve.models.store import open_model_file
from tests.tiny_models import LABELS, brightness_spec, write_brightness_model


def test_a_file_is_described_by_its_spec_and_its_digest(tmp_path: Path) -> None:
    path = write_brightness_model(tmp_path / "mine.onnx", brightness_spec("mine", side=12))
    described = describe(open_model_file(path), runs_on="CPU", is_default=True)
    assert (described.name, described.version, described.license) == ("mine", "1", "Apache-2.0")
    assert (described.input_width, described.input_height, described.input_color) == (12, 12, "luma")
    assert described.heads == {"emotion": LABELS}
    assert (described.runs_on, described.is_default) == ("CPU", True)
    assert described.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
