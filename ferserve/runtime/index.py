"""The known models, and what stands for which: names, versions, aliases."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ferserve.config import EngineConfig
from ferserve.errors import FerserveError, ModelNotFoundError, quoted
from ferserve.models.names import split_name, version_key
from ferserve.models.repository import Repository
from ferserve.runtime.default_model import find_models
from ferserve.runtime.loader import LoadedModel
from ferserve.runtime.versions import KnownModel, ModelVersion
from ferserve.types import ModelDescription

_MAX_COMPARED = 128
"""Characters of an unknown name that are compared with the known ones: the time grows with its square."""


class ModelIndex:
    """Models by name. Readers share it without a lock: a change of the models is another index."""

    def __init__(self, models: Mapping[str, KnownModel], default_name: str) -> None:
        self.models = models
        self.default_name = default_name
        """What the empty name stands for."""

    def with_model(self, model: KnownModel) -> ModelIndex:
        """The index with ``model`` in place of the one of its name."""
        return ModelIndex({**self.models, model.name: model}, self.default_name)

    def without(self, names: Iterable[str]) -> ModelIndex:
        """The index without the models of these names."""
        gone = set(names)
        return ModelIndex({n: model for n, model in self.models.items() if n not in gone}, self.default_name)

    def split(self, name: str) -> tuple[str, str]:
        """The model's own name, and the version or alias that was asked for; see :func:`split_name`."""
        return (name, "") if name in self.models else split_name(name or self.default_name)

    def find(self, name: str) -> tuple[KnownModel, ModelVersion]:
        """The version that ``name`` stands for; raises :class:`ModelNotFoundError` that lists those that there are."""
        base, wanted = self.split(name)
        if base not in self.models:
            raise self.unknown(name)
        model = self.models[base]
        version = model.find(wanted)
        if version is None:
            raise no_version(base, wanted, [*_sorted(model), *model.settings.aliases])
        return model, model.versions[version]

    def unknown(self, name: str) -> FerserveError:
        """The error about a model that is not here."""
        near = difflib.get_close_matches(name[:_MAX_COMPARED], self.models, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return ModelNotFoundError(f"model must be one of {', '.join(sorted(self.models))}, got {quoted(name)}{hint}")

    def describe(self, model: KnownModel, entry: ModelVersion) -> ModelDescription:
        """A version as users see it."""
        base, wanted = self.split("")
        is_default = model.name == base and model.find(wanted) == entry.version
        return entry.describe(model.name, is_default=is_default, aliases=model.aliases_of(entry.version))

    def describe_all(self, model: KnownModel | None = None) -> list[ModelDescription]:
        """Every version of one model, or of all."""
        if model is not None:
            return [self.describe(model, model.versions[version]) for version in _sorted(model)]
        return [self.describe(one, entry) for one, entry in self.versions()]

    def versions(self) -> list[tuple[KnownModel, ModelVersion]]:
        """Every version of every model."""
        models = [self.models[name] for name in sorted(self.models)]
        return [(model, model.versions[version]) for model in models for version in _sorted(model)]

    def loaded_by_name(self) -> dict[str, LoadedModel]:
        """What is loaded, under everything that it answers to."""
        ready: dict[str, LoadedModel] = {}
        for model in self.models.values():
            for wanted in model.spellings:
                version = model.find(wanted)
                loaded = model.versions[version].loaded if version is not None else None
                if loaded is not None:
                    ready[f"{model.name}@{wanted}" if wanted else model.name] = loaded
        if self.default_name in ready:
            ready[""] = ready[self.default_name]
        return ready


def index_files(config: EngineConfig) -> ModelIndex:
    """Everything at hand under ``config``, nothing loaded.

    Raises :class:`ModelNotFoundError` or :class:`ModelSpecError`.
    """
    found = Repository(Path(config.model_repository)).scan() if config.model_repository else {}
    files, default_name = find_models(config, found)
    models = {file.spec.name: KnownModel.on_demand(file) for file in files}
    for name, model in found.items():
        models[name] = KnownModel.waiting(model, None)
        for entry in models[name].versions.values():
            entry.on_demand = entry.file is not None
            entry.reason = "" if entry.on_demand else entry.reason
    return ModelIndex(models, default_name)


def no_version(model: str, wanted: str, known: Iterable[str]) -> ModelNotFoundError:
    """The error about a version or alias that a model does not have."""
    return ModelNotFoundError(
        f"version of {quoted(model)} must be one of {', '.join(known) or 'none'}, got {quoted(wanted)}"
    )


def _sorted(model: KnownModel) -> list[str]:
    return sorted(model.versions, key=version_key)
