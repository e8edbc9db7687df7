"""Descriptions of models as messages."""

from __future__ import annotations

from collections.abc import Iterable

from ferserve.types import FrameResult, ModelDescription, ModelState
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.enums import EnumTable

_STATES = EnumTable(ModelState, pb.ModelState, "MODEL_STATE")


def model_to_proto(model: ModelDescription) -> pb.Model:
    """The message of ``model``."""
    return pb.Model(
        name=model.name,
        version=model.version,
        description=model.description,
        heads=[pb.Head(name=name, labels=labels) for name, labels in model.heads.items()],
        input_width=model.input_width,
        input_height=model.input_height,
        input_color=model.input_color,
        license=model.license,
        trained_on=model.trained_on,
        metrics=model.metrics,
        runs_on=model.runs_on,
        is_default=model.is_default,
        sha256=model.sha256,
        state=_STATES.number(model.state),
        reason=model.reason,
        aliases=model.aliases,
    )


def model_from_proto(message: pb.Model) -> ModelDescription:
    """The description in ``message``."""
    return ModelDescription(
        name=message.name,
        version=message.version,
        description=message.description,
        heads={head.name: tuple(head.labels) for head in message.heads},
        input_width=message.input_width,
        input_height=message.input_height,
        input_color=message.input_color,
        license=message.license,
        trained_on=tuple(message.trained_on),
        metrics=dict(message.metrics),
        runs_on=message.runs_on,
        is_default=message.is_default,
        sha256=message.sha256,
        state=_STATES.get(message.state) or ModelState.READY,
        reason=message.reason,
        aliases=tuple(message.aliases),
    )


def answering_models(result: FrameResult) -> list[pb.Model]:
    """What a client needs to read a result's faces: the heads with their labels, as one model; none without a face."""
    if not result.faces:
        return []
    heads = [pb.Head(name=head.name, labels=head.labels) for head in result.faces[0].heads]
    return [pb.Model(name=result.model_name, version=result.model_version, heads=heads)]


def labels_by_head(models: Iterable[pb.Model]) -> dict[str, tuple[str, ...]]:
    """Ordered labels by the name of the head."""
    return {head.name: tuple(head.labels) for model in models for head in model.heads}
