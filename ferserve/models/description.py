"""From a weight file to the description that users see."""

from __future__ import annotations

from ferserve.models.store import ModelFile
from ferserve.types import ModelDescription


def describe(file: ModelFile, *, runs_on: str, is_default: bool) -> ModelDescription:
    """The description of ``file``; ``runs_on`` is empty if the model is not loaded. Reads the whole file once."""
    spec = file.spec
    return ModelDescription(
        name=spec.name,
        version=spec.version,
        description=spec.description,
        heads={head.name: head.labels for head in spec.heads},
        input_width=spec.input.width,
        input_height=spec.input.height,
        input_color=spec.input.color,
        license=spec.license,
        trained_on=spec.trained_on,
        metrics=dict(spec.metrics),
        runs_on=runs_on,
        is_default=is_default,
        sha256=file.sha256,
    )


def describe_missing(name: str, version: str, *, is_default: bool) -> ModelDescription:
    """The description of a version whose file cannot be read."""
    return ModelDescription(
        name=name,
        version=version,
        description="",
        heads={},
        input_width=0,
        input_height=0,
        input_color="",
        license="",
        trained_on=(),
        metrics={},
        runs_on="",
        is_default=is_default,
        sha256="",
    )
