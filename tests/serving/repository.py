"""A repository of models whose answers are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ferserve.models.spec import HeadSpec
from tests.tiny_models import brightness_spec, write_brightness_model


def put(
    folder: Path, name: str, version: str, labels: tuple[str, ...] = ("dark", "bright"), head: str = "emotion"
) -> Path:
    """A version of a model in ``folder``; ``labels`` are of the complement and of the mean luma."""
    spec = dataclasses.replace(brightness_spec("x"), heads=(HeadSpec(head, labels, output="probabilities"),))
    (folder / name / version).mkdir(parents=True, exist_ok=True)
    return write_brightness_model(folder / name / version / "model.onnx", spec)
