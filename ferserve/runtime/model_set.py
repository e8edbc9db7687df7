"""Models that answer the same faces."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ferserve.models.spec import HeadSpec, InputSpec
from ferserve.runtime.loader import LoadedModel


@dataclass(frozen=True, eq=False)
class ModelSet:
    """One model, or several whose heads follow each other; the first one's first head is the emotion."""

    members: tuple[LoadedModel, ...]
    heads: tuple[tuple[HeadSpec, ...], ...]
    """Heads of each member, under names of their own."""

    @classmethod
    def of(cls, names: Sequence[str], members: Sequence[LoadedModel]) -> ModelSet:
        """The models that were asked for as ``names``. A head whose name an earlier one has becomes ``NAME/HEAD``."""
        if len(members) == 1:
            return cls((members[0],), (members[0].spec.heads,))
        taken: set[str] = set()
        heads = []
        for name, member in zip(names, members, strict=True):
            heads.append(tuple(_distinct(head, name, taken) for head in member.spec.heads))
            taken.update(head.name for head in heads[-1])
        return cls(tuple(members), tuple(heads))

    @cached_property
    def name(self) -> str:
        """Name of the first model, for results."""
        return self.members[0].spec.name

    @cached_property
    def version(self) -> str:
        """Version of the first model, for results."""
        return self.members[0].spec.version

    @cached_property
    def wants_color(self) -> bool:
        """Whether a model needs more than luma."""
        return any(member.spec.input.color != "luma" for member in self.members)

    @cached_property
    def strictest_crop(self) -> InputSpec:
        """The input that leaves least of a thin box: if it leaves something, all do."""
        inputs = [member.spec.input for member in self.members]
        return min(inputs, key=lambda spec: 0.0 if spec.square else spec.margin)


def _distinct(head: HeadSpec, model: str, taken: set[str]) -> HeadSpec:
    return dataclasses.replace(head, name=f"{model}/{head.name}") if head.name in taken else head
