"""The versions of a model that the registry knows, loaded or not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from ferserve.models.description import describe
from ferserve.models.names import LATEST, version_key
from ferserve.models.store import ModelFile
from ferserve.runtime.loader import LoadedModel
from ferserve.types import ModelDescription, ModelState


@dataclass(eq=False)
class ModelVersion:
    """One version of a model."""

    file: ModelFile
    on_demand: bool = False
    """The first call that asks for it loads it."""
    loaded: LoadedModel | None = None
    reason: str = ""
    """Why it does not answer."""

    @property
    def is_ready(self) -> bool:
        """Whether calls are answered."""
        return self.loaded is not None or self.on_demand

    def describe(self, *, is_default: bool, aliases: tuple[str, ...]) -> ModelDescription:
        """The version as users see it."""
        runs_on = self.loaded.runs_on if self.loaded else ""
        state = ModelState.READY if self.is_ready else ModelState.UNAVAILABLE
        described = describe(self.file, runs_on=runs_on, is_default=is_default)
        return dataclasses.replace(described, state=state, reason=self.reason, aliases=aliases)


@dataclass(eq=False)
class KnownModel:
    """A model with its versions."""

    name: str
    versions: dict[str, ModelVersion]
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Version by alias, besides :data:`LATEST`."""
    default: str = LATEST
    """Version or alias for callers that name neither."""

    def find(self, wanted: str) -> str | None:
        """The version that ``wanted``, a version, an alias or nothing, stands for; None if there is none."""
        wanted = wanted or self.default
        if wanted in self.versions:
            return wanted
        if wanted in self.aliases:
            return self.aliases[wanted] if self.aliases[wanted] in self.versions else None
        if wanted != LATEST:
            return None
        ready = [version for version, entry in self.versions.items() if entry.is_ready]
        return max(ready or self.versions, key=version_key, default=None)

    def aliases_of(self, version: str) -> tuple[str, ...]:
        """The aliases of a version."""
        return tuple(alias for alias in sorted({LATEST, *self.aliases}) if self.find(alias) == version)
