"""The models by name: hands out the loaded ones, loads others, and replaces them while they are in use."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable

from ferserve.config import EngineConfig
from ferserve.errors import (
    ConfigError,
    FerserveError,
    ModelLoadError,
    ModelNotFoundError,
    ModelNotReadyError,
    ModelSpecError,
    quoted,
)
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.models.names import split_name
from ferserve.models.store import open_model_file
from ferserve.runtime.batching import Measurement, choose
from ferserve.runtime.default_model import open_store
from ferserve.runtime.loader import LoadedModel, ModelLoader
from ferserve.runtime.versions import KnownModel, ModelVersion
from ferserve.types import ModelDescription

_MAX_COMPARED = 128
"""Characters of an unknown name that are compared with the known ones: the time grows with its square."""
_UNLOADED = "it was unloaded"


class ModelRegistry:
    """Models by name: ``NAME``, ``NAME@VERSION`` or ``NAME@ALIAS``; the empty name is the default model's.

    Callers hold a :class:`LoadedModel`, which works as long as they do. Thread-safe. Loading one model does not keep
    others from being handed out.
    """

    def __init__(
        self, config: EngineConfig, threads: int, others_busy: Callable[[], bool], metrics: Metrics = NO_METRICS
    ) -> None:
        """Find the models and load the default one.

        ``threads`` and ``others_busy`` are those of the workers, for batching; ``metrics`` counts runs. Raises
        :class:`ModelNotFoundError`, :class:`ModelSpecError` or :class:`ConfigError`.
        """
        self._loader = ModelLoader(config, threads, others_busy, metrics)
        store, default = open_store(config)
        self._default_name = default.spec.name
        self._models = {
            file.spec.name: KnownModel(file.spec.name, {file.spec.version: ModelVersion(file, on_demand=True)})
            for file in store.models()
        }
        self._ready: dict[str, LoadedModel] = {}
        self._loading = threading.Lock()
        self.get("")

    def models(self) -> list[ModelDescription]:
        """Every version of every model, by name and version."""
        known = sorted(self._models.items())
        return [self._describe(model, version) for _, model in known for version in sorted(model.versions)]

    def describe(self, name: str) -> ModelDescription:
        """One version of a model, loaded or not; raises :class:`ModelNotFoundError`."""
        return self._describe(*self._find(name))

    def is_loaded(self, name: str) -> bool:
        """True if :meth:`get` answers without loading a file."""
        return name in self._ready

    def get(self, name: str) -> LoadedModel:
        """The model of that name; the first call may load it.

        Raises :class:`ModelNotFoundError`, :class:`ModelNotReadyError`, :class:`ModelSpecError` or
        :class:`ConfigError`.
        """
        if (ready := self._ready.get(name)) is not None:
            return ready
        with self._loading:
            if name not in self._ready:
                model, version = self._find(name)
                entry = model.versions[version]
                if not entry.is_ready:
                    raise ModelNotReadyError(f"cannot use the model {quoted(name)}: {entry.reason}; ask for another")
                entry.loaded = entry.loaded or self._loader.load(entry.file, is_default=self._is_default(model))
                self._publish()
            return self._ready[name]

    def load(self, name: str) -> list[ModelDescription]:
        """Read the files of a model again, all versions or the one that is named, and hand out what they hold now.

        The former ones answer new callers until the new ones are ready, and their holders as long as they hold them. If
        one cannot be loaded, nothing changes. Raises :class:`ModelNotFoundError` or :class:`ModelLoadError`.
        """
        with self._loading:
            model, versions = self._named(name)
            try:
                loaded = [
                    self._loader.load(open_model_file(model.versions[v].file.path), is_default=self._is_default(model))
                    for v in versions
                ]
            except (ModelSpecError, ModelNotFoundError, ConfigError) as error:
                raise ModelLoadError(f"cannot load {quoted(name)}: {error}; what was served before goes on") from None
            for version in versions:
                del model.versions[version]
            for one in loaded:
                model.versions[one.spec.version] = ModelVersion(one.file, loaded=one)
            self._publish()
            return [self._describe(model, one.spec.version) for one in loaded]

    def unload(self, name: str) -> None:
        """Take a model, all versions or the one that is named, from new callers until it is loaded again.

        Its memory is free once nobody holds it. Raises :class:`ModelNotFoundError`.
        """
        with self._loading:
            model, versions = self._named(name)
            for version in versions:
                entry = model.versions[version]
                entry.loaded, entry.on_demand, entry.reason = None, False, _UNLOADED
            self._publish()

    def tune(self, seconds: float) -> tuple[list[Measurement], Measurement]:
        """Measure the default model at several batch sizes, ``seconds`` each: the table, and the choice from it."""
        table = self._loader.measure(self.get("").classifier, seconds)
        return table, choose(table)

    def _is_default(self, model: KnownModel) -> bool:
        return model.name == self._default_name

    def _named(self, name: str) -> tuple[KnownModel, list[str]]:
        """The versions that an administrator names: all, or one."""
        model, version = self._find(name)
        return model, [version] if split_name(name)[1] and name not in self._models else list(model.versions)

    def _find(self, name: str) -> tuple[KnownModel, str]:
        base, wanted = (name, "") if name in self._models else split_name(name or self._default_name)
        if base not in self._models:
            raise self._unknown(name)
        model = self._models[base]
        version = model.find(wanted)
        if version is None:
            known = ", ".join([*sorted(model.versions), *model.aliases]) or "none"
            raise ModelNotFoundError(f"version of {quoted(base)} must be one of {known}, got {quoted(wanted)}")
        return model, version

    def _unknown(self, name: str) -> FerserveError:
        near = difflib.get_close_matches(name[:_MAX_COMPARED], self._models, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return ModelNotFoundError(f"model must be one of {', '.join(sorted(self._models))}, got {quoted(name)}{hint}")

    def _describe(self, model: KnownModel, version: str) -> ModelDescription:
        is_default = self._is_default(model) and model.find("") == version
        return model.versions[version].describe(is_default=is_default, aliases=model.aliases_of(version))

    def _publish(self) -> None:
        """Hand out what is loaded now under each of its names, all at once."""
        ready: dict[str, LoadedModel] = {}
        for model in self._models.values():
            for wanted in ("", *model.versions, *model.aliases, "latest"):
                version = model.find(wanted)
                loaded = model.versions[version].loaded if version is not None else None
                if loaded is not None:
                    ready[f"{model.name}@{wanted}" if wanted else model.name] = loaded
        if self._default_name in ready:
            ready[""] = ready[self._default_name]
        self._ready = ready
