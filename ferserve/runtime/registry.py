"""The models by name: hands out the loaded ones, loads others, and replaces them while they are in use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ferserve.config import EngineConfig
from ferserve.errors import (
    FerserveError,
    ModelLoadError,
    ModelNotFoundError,
    ModelNotReadyError,
    ModelSpecError,
    quoted,
)
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.models.description import describe
from ferserve.models.repository import FoundModel, FoundVersion, Repository, Stamp
from ferserve.models.store import ModelFile, open_model_file
from ferserve.runtime.batching import Measurement, choose
from ferserve.runtime.default_model import find_models
from ferserve.runtime.followed import FollowedModels
from ferserve.runtime.index import ModelIndex, no_version
from ferserve.runtime.loader import LoadedModel, ModelLoader
from ferserve.runtime.model_set import ModelSet
from ferserve.runtime.versions import UNLOADED, KnownModel, ModelVersion
from ferserve.types import ModelDescription

log = logging.getLogger(__name__)


class ModelRegistry:
    """Models by name: ``NAME``, ``NAME@VERSION`` or ``NAME@ALIAS``; the empty name is the default model's.

    Callers hold a :class:`LoadedModel`, which works as long as they do; streams :meth:`follow` the names of theirs.
    Thread-safe. Loading one model does not keep others from being handed out.
    """

    def __init__(
        self, config: EngineConfig, threads: int, others_busy: Callable[[], bool], metrics: Metrics = NO_METRICS
    ) -> None:
        """Find the models, and load the default one and those of the repository.

        ``threads`` and ``others_busy`` are those of the workers, for batching; ``metrics`` counts runs. Raises
        :class:`ModelNotFoundError`, :class:`ModelSpecError` or :class:`ConfigError`.
        """
        self._loader = ModelLoader(config, threads, others_busy, metrics)
        self._loading = threading.Lock()
        self._repository = Repository(Path(config.model_repository)) if config.model_repository else None
        found = self._repository.scan() if self._repository else {}
        files, default_name = find_models(config, found)
        self._index = ModelIndex({file.spec.name: KnownModel.on_demand(file) for file in files}, default_name)
        self.ready: Mapping[str, LoadedModel] = {}
        """What is loaded, by every name that it answers to; another object after every change."""
        self._alone: dict[str, ModelSet] = {}
        self._seen = self._pending = _stamps(found)
        with self._loading:
            self._adopt(found.values())
        self._require_default()

    def models(self) -> list[ModelDescription]:
        """Every version of every model, by name and version."""
        return self._index.describe_all()

    def describe(self, name: str) -> ModelDescription:
        """One version of a model, loaded or not; raises :class:`ModelNotFoundError`."""
        index = self._index
        return index.describe(*index.find(name))

    def is_loaded(self, name: str) -> bool:
        """True if :meth:`get` answers without loading a file."""
        return name in self.ready

    def get(self, name: str) -> LoadedModel:
        """The model of that name; the first call may load it.

        Raises :class:`ModelNotFoundError`, :class:`ModelNotReadyError`, :class:`ModelSpecError` or
        :class:`ConfigError`.
        """
        if (ready := self.ready.get(name)) is not None:
            return ready
        self._require_ready(name)
        with self._loading:
            if name not in self.ready:
                model, entry = self._require_ready(name)
                entry.loaded = entry.loaded or self._loader.load(_required(entry), model.settings)
                self._publish()
            return self.ready[name]

    def get_set(self, names: Sequence[str]) -> ModelSet:
        """The models of these names together; raises as :meth:`get` does."""
        if len(names) > 1:
            return ModelSet.of(names, [self.get(name) for name in names])
        alone = self._alone  # before the model: of a change meanwhile, the next dictionary knows
        known = alone.get(names[0])
        if known is None:
            known = alone[names[0]] = ModelSet.of(names, [self.get(names[0])])
        return known

    def follow(self, names: Sequence[str]) -> FollowedModels:
        """The models of these names, now and whenever others take their place; raises as :meth:`get` does."""
        return FollowedModels(self, names)

    def describe_loaded(self, loaded: LoadedModel) -> ModelDescription:
        """A model that somebody holds; one that was replaced meanwhile is known by its file alone."""
        index = self._index
        model = index.models.get(loaded.spec.name)
        entry = model.versions.get(loaded.spec.version) if model else None
        if model is None or entry is None or entry.loaded is not loaded:
            return describe(loaded.file, runs_on=loaded.runs_on, is_default=False)
        return index.describe(model, entry)

    def load(self, name: str) -> list[ModelDescription]:
        """Read the files of a model again, all versions or the one that is named, and hand out what they hold now.

        The former ones answer until the new ones are ready. If one cannot be loaded, nothing changes. Raises
        :class:`ModelNotFoundError` or :class:`ModelLoadError`.
        """
        with self._loading:
            base, wanted = self._index.split(name)
            found = self._read(base, name)
            version = KnownModel.waiting(found, None).find(wanted) if wanted else None
            if wanted and version is None:
                raise no_version(base, wanted, found.versions)
            former = self._index.models.get(base)
            kept = dict(former.versions) if former and version else {}
            try:
                for now in found.versions.values() if version is None else [found.versions[version]]:
                    kept[now.version] = self._loaded(found, now)
            except FerserveError as error:
                raise ModelLoadError(
                    f"cannot load {quoted(name)}: {self._words(error)}; what was served before goes on"
                ) from None
            model = KnownModel(base, kept, found.settings)
            self._index = self._index.with_model(model)
            self._publish()
            described = self._index.describe_all(model)
            return [one for one in described if version in (None, one.version)]

    def unload(self, name: str) -> None:
        """Take a model, all versions or the one that is named, from new callers until it is loaded again.

        Its memory is free once nobody holds it. Raises :class:`ModelNotFoundError`.
        """
        with self._loading:
            model, named = self._index.find(name)
            for entry in [named] if self._index.split(name)[1] else model.versions.values():
                entry.loaded, entry.on_demand, entry.reason = None, False, UNLOADED
            self._publish()

    def refresh(self) -> None:
        """Take up what changed in the repository since the last call and not since the one before.

        What cannot be loaded says so in its ``reason``, and in the log. Raises :class:`ModelNotFoundError` if the
        folder cannot be read; nothing changes then.
        """
        if self._repository is None:
            return
        found = self._repository.scan()
        stamps, pending = _stamps(found), self._pending
        self._pending = stamps
        if stamps == self._seen or stamps != pending:  # half a copy may be there by now
            return
        with self._loading:
            self._index = self._index.without({name for name, *_ in self._seen} - set(found))
            self._adopt(found.values())
            self._seen = stamps

    def tune(self, seconds: float) -> tuple[list[Measurement], Measurement]:
        """Measure the default model at several batch sizes, ``seconds`` each: the table, and the choice from it."""
        table = self._loader.measure(self.get("").classifier, seconds)
        return table, choose(table)

    def _adopt(self, found: Iterable[FoundModel]) -> None:
        """Load what changed, model after model; all versions of one are handed out together."""
        for now in found:
            former = self._index.models.get(now.name)
            model = KnownModel.waiting(now, former)
            if former is None:
                self._index = self._index.with_model(model)  # to be seen while it loads
            for version, entry in model.versions.items():
                if former is None or former.versions.get(version) is not entry:
                    self._fill(entry, now, former.versions.get(version) if former else None)
            self._index = self._index.with_model(model)
            self._publish()
        self._publish()  # without what is gone

    def _fill(self, entry: ModelVersion, model: FoundModel, former: ModelVersion | None) -> None:
        """Load a version; if that fails, the former one goes on."""
        try:
            entry.loaded = self._loaded(model, model.versions[entry.version]).loaded
            entry.reason = ""
        except FerserveError as error:
            entry.reason = self._words(error)
            log.warning("cannot load the model %s@%s: %s", model.name, entry.version, entry.reason)
            if former is not None and former.loaded is not None:
                entry.loaded = former.loaded
                entry.reason = f"its former file answers; the new one cannot be loaded: {entry.reason}"

    def _loaded(self, model: FoundModel, now: FoundVersion) -> ModelVersion:
        if now.file is None:
            raise ModelSpecError(now.fault)
        known = self._index.models.get(model.name)
        entry = known.versions.get(now.version) if known else None
        loaded = self._loader.load(now.file, model.settings, entry.loaded if entry else None)
        return ModelVersion(now.version, now.file, now.stamp, loaded=loaded)

    def _read(self, base: str, name: str) -> FoundModel:
        """The model as its files are now."""
        try:
            found = self._repository.scan() if self._repository else {}
        except ModelNotFoundError as error:
            raise ModelLoadError(f"cannot load {quoted(name)}: {error}; what was served before goes on") from None
        if base in found:
            return found[base]
        if base not in self._index.models:
            raise self._index.unknown(name)
        known = self._index.models[base]
        try:
            files = [open_model_file(_required(entry).path) for entry in known.versions.values()]
        except FerserveError as error:
            raise ModelLoadError(f"cannot load {quoted(name)}: {error}; what was served before goes on") from None
        versions = {file.spec.version: FoundVersion(file.spec.version, (), file) for file in files}
        return FoundModel(base, versions, known.settings)

    def _words(self, error: FerserveError) -> str:
        return self._repository.words(error) if self._repository else str(error)

    def _require_default(self) -> None:
        """Load the default model. Its own error says most, if it has one: a server without it does not start."""
        try:
            self.get("")
        except ModelNotReadyError as error:
            raise ModelSpecError(str(error)) from None

    def _require_ready(self, name: str) -> tuple[KnownModel, ModelVersion]:
        model, entry = self._index.find(name)
        if not entry.is_ready:
            called = name or self._index.default_name
            raise ModelNotReadyError(f"cannot use the model {quoted(called)}: {entry.reason}; ask for another")
        return model, entry

    def _publish(self) -> None:
        """Hand out what is loaded now under each of its names, all at once."""
        self.ready, self._alone = self._index.loaded_by_name(), {}


def _stamps(found: dict[str, FoundModel]) -> tuple[tuple[str, object, tuple[tuple[str, Stamp], ...]], ...]:
    """What tells whether anything changed."""
    return tuple(
        (name, model.settings, tuple((v.version, v.stamp) for v in model.versions.values()))
        for name, model in found.items()
    )


def _required(entry: ModelVersion) -> ModelFile:
    if entry.file is None:
        raise ModelSpecError(entry.reason)
    return entry.file
