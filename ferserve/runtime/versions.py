"""The versions of a model that the registry knows, loaded or not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from ferserve.models.description import describe, describe_missing
from ferserve.models.names import LATEST, version_key
from ferserve.models.repository import FoundModel, FoundVersion, Stamp
from ferserve.models.settings import ModelSettings
from ferserve.models.store import ModelFile
from ferserve.runtime.loader import LoadedModel
from ferserve.types import ModelDescription, ModelState

LOADING = "it is being loaded"
UNLOADED = "it was unloaded"


@dataclass(eq=False)
class ModelVersion:
    """One version of a model."""

    version: str
    file: ModelFile | None
    """None if it cannot be read."""
    stamp: Stamp = ()
    on_demand: bool = False
    """The first call that asks for it loads it."""
    loaded: LoadedModel | None = None
    reason: str = ""
    """Why it does not answer, or answers from a former file."""

    @property
    def is_ready(self) -> bool:
        """Whether calls are answered."""
        return self.loaded is not None or self.on_demand

    def describe(self, name: str, *, is_default: bool, aliases: tuple[str, ...]) -> ModelDescription:
        """The version of the model ``name`` as users see it."""
        file = self.loaded.file if self.loaded else self.file
        if file is None:
            described = describe_missing(name, self.version, is_default=is_default)
        else:
            runs_on = self.loaded.runs_on if self.loaded else ""
            described = describe(file, runs_on=runs_on, is_default=is_default)
        waits = ModelState.LOADING if self.reason == LOADING else ModelState.UNAVAILABLE
        state = ModelState.READY if self.is_ready else waits
        return dataclasses.replace(described, state=state, reason=self.reason, aliases=aliases)


@dataclass(frozen=True, eq=False)
class KnownModel:
    """A model with its versions."""

    name: str
    versions: Mapping[str, ModelVersion]
    settings: ModelSettings = field(default_factory=ModelSettings)

    @classmethod
    def on_demand(cls, file: ModelFile) -> KnownModel:
        """The model of one file, which the first call loads."""
        version = file.spec.version
        return cls(file.spec.name, {version: ModelVersion(version, file, on_demand=True)})

    @classmethod
    def waiting(cls, found: FoundModel, former: KnownModel | None) -> KnownModel:
        """The model as it was ``found``: versions that did not change stay as they are, others wait to be loaded."""
        known = former.versions if former else {}
        same_settings = former is not None and former.settings == found.settings
        versions = {}
        for version, now in found.versions.items():
            entry = known.get(version)
            unchanged = entry is not None and entry.stamp == now.stamp and same_settings
            versions[version] = entry if entry is not None and unchanged else _waiting(now)
        return cls(found.name, versions, found.settings)

    def find(self, wanted: str) -> str | None:
        """The version that ``wanted``, a version, an alias or nothing, stands for; None if there is none."""
        wanted = wanted or self.settings.default
        if wanted in self.versions:
            return wanted
        aliases = self.settings.aliases
        if wanted in aliases:
            return aliases[wanted] if aliases[wanted] in self.versions else None
        if wanted != LATEST:
            return None
        ready = [version for version, entry in self.versions.items() if entry.is_ready]
        return max(ready or self.versions, key=version_key, default=None)

    @property
    def spellings(self) -> tuple[str, ...]:
        """Everything that may stand behind ``NAME@``, and nothing."""
        return ("", *self.versions, *self.settings.aliases, LATEST)

    def aliases_of(self, version: str) -> tuple[str, ...]:
        """The aliases of a version."""
        return tuple(alias for alias in sorted({LATEST, *self.settings.aliases}) if self.find(alias) == version)


def _waiting(found: FoundVersion) -> ModelVersion:
    return ModelVersion(found.version, found.file, found.stamp, reason=found.fault or LOADING)
