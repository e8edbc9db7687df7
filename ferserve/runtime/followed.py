"""The models of a stream, which follow the registry."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

from ferserve.runtime.loader import LoadedModel
from ferserve.runtime.model_set import ModelSet
from ferserve.types import ModelDescription


class ReadyModels(Protocol):
    """What a registry tells of the models that are loaded."""

    ready: Mapping[str, LoadedModel]
    """By every name that they answer to; another object after every change."""

    def get_set(self, names: Sequence[str]) -> ModelSet:
        """The models of these names together."""

    def describe_loaded(self, loaded: LoadedModel) -> ModelDescription:
        """A model that somebody holds."""


class FollowedModels:
    """The models that answer to some names, for one thread at a time."""

    def __init__(self, registry: ReadyModels, names: Sequence[str]) -> None:
        """Raises as :meth:`ModelRegistry.get` does."""
        self._registry = registry
        self._names = names
        self._seen = registry.ready  # before the models, which may change meanwhile
        self.models = registry.get_set(names)
        """Those of the last :meth:`renew`."""

    def renew(self) -> bool:
        """Take over what changed; True if other models answer now. One that was unloaded goes on."""
        ready = self._registry.ready
        if ready is self._seen:
            return False
        self._seen = ready
        former = self.models.members
        members = [ready.get(name, model) for name, model in zip(self._names, former, strict=True)]
        if all(new is old for new, old in zip(members, former, strict=True)):
            return False
        self.models = ModelSet.of(self._names, members)
        return True

    def describe(self) -> tuple[ModelDescription, ...]:
        """The models, with the names that their heads have here."""
        models = self.models
        return tuple(
            dataclasses.replace(
                self._registry.describe_loaded(member), heads={head.name: head.labels for head in heads}
            )
            for member, heads in zip(models.members, models.heads, strict=True)
        )
