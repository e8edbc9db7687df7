"""A folder of models that come, change and go while the server runs.

``NAME/VERSION/model.onnx`` is a version of a model, with its spec inside, or beside it as ``model.json``, or one folder
up for all versions; ``NAME/ferserve.toml`` has its settings. The folders say name and version, whatever the spec says.
A flat file ``X.onnx`` is a model with the name and version of its spec, and ``X.toml`` has its settings.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ferserve.errors import ConfigError, FerserveError, ModelNotFoundError, ModelSpecError
from ferserve.models.settings import SETTINGS_FILE, ModelSettings, Precision
from ferserve.models.store import ModelFile, open_model_file

MODEL_FILE = "model.onnx"
_SUFFIX_OF: Mapping[Precision, str] = {"auto": "", "fp32": "", "fp16": "-fp16", "int8": "-int8"}

_OUTSIDE = re.compile(r"(?<![\w.])(?:/[^/\s\"';:]+)+/([^/\s\"';:]+)")

Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size and time of each file that a version is made of: another stamp means that something changed."""


@dataclass(frozen=True)
class FoundVersion:
    """A version as it lies in the repository: its file, or what is wrong with it."""

    version: str
    stamp: Stamp
    file: ModelFile | None
    fault: str = ""


@dataclass(frozen=True)
class FoundModel:
    """A model as it lies in the repository."""

    name: str
    versions: Mapping[str, FoundVersion]
    settings: ModelSettings = field(default_factory=ModelSettings)


class Repository:
    """The models of one folder, as they lie there now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._flat: dict[Path, FoundModel] = {}

    def scan(self) -> dict[str, FoundModel]:
        """Every model by name; one that cannot be served says why. Raises :class:`ModelNotFoundError`."""
        try:
            entries = sorted(self.folder.iterdir())
            models = [model for path in entries if not path.name.startswith(".") for model in self._models_at(path)]
        except OSError as error:
            raise ModelNotFoundError(
                f"engine.model_repository must be a folder that can be read, got {self.folder}: {error.strerror}"
            ) from None
        found: dict[str, FoundModel] = {}
        for model in models:
            if model.name in found:  # a flat file of the same name
                twin = found[model.name]
                model = dataclasses.replace(twin, versions={**model.versions, **twin.versions})
            found[model.name] = model
        return found

    def words(self, error: FerserveError) -> str:
        """The message of ``error`` for everyone who may list models: of paths outside the repository only the end."""
        return _OUTSIDE.sub(r"\1", str(error).replace(f"{self.folder}{os.sep}", ""))

    def _models_at(self, path: Path) -> Iterator[FoundModel]:
        if path.is_dir():
            yield from self._structured(path)
        elif path.suffix == ".onnx":
            yield self._flat_file(path)

    def _structured(self, folder: Path) -> Iterator[FoundModel]:
        folders = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
        if not folders:
            return
        settings, fault = self._settings(folder / SETTINGS_FILE)
        shared = [folder / SETTINGS_FILE, folder / "model.json"]
        versions = [self._version(folder.name, path, settings, shared, fault) for path in folders]
        yield FoundModel(folder.name, {version.version: version for version in versions}, settings)

    def _version(
        self, name: str, folder: Path, settings: ModelSettings, shared: list[Path], fault: str
    ) -> FoundVersion:
        stamp = _stamp([*shared, *sorted(folder.iterdir())])
        try:
            if fault:
                raise ConfigError(fault)
            if "@" in name + folder.name:
                raise ModelSpecError(f"names of models and versions must have no '@', got {name}/{folder.name}")
            path = _weights(folder, settings.precision)
            file = open_model_file(path, shared_sidecar=shared[1])
            spec = dataclasses.replace(file.spec, name=name, version=folder.name)
        except FerserveError as error:
            return FoundVersion(folder.name, stamp, None, self.words(error))
        return FoundVersion(folder.name, stamp, ModelFile(file.path, spec))

    def _flat_file(self, path: Path) -> FoundModel:
        """A flat file; it is opened again only if it changed, since only its spec tells its name."""
        settings_path = path.with_suffix(".toml")
        stamp = _stamp([path, path.with_suffix(".json"), settings_path])
        known = self._flat.get(path)
        if known is not None and next(iter(known.versions.values())).stamp == stamp:
            return known
        settings, fault = self._settings(settings_path)
        try:
            if fault:
                raise ConfigError(fault)
            file = open_model_file(path)
            version = FoundVersion(file.spec.version, stamp, file)
            model = FoundModel(file.spec.name, {version.version: version}, settings)
        except FerserveError as error:
            broken = FoundVersion("", stamp, None, self.words(error))
            model = FoundModel(path.stem, {"": broken}, settings)
        self._flat[path] = model
        return model

    def _settings(self, path: Path) -> tuple[ModelSettings, str]:
        try:
            return ModelSettings.read(path), ""
        except ConfigError as error:
            return ModelSettings(), self.words(error)


def _weights(folder: Path, precision: Precision) -> Path:
    wanted = folder / f"model{_SUFFIX_OF[precision]}.onnx"
    others = sorted(folder.glob("*.onnx"))
    if wanted.is_file() or not others:
        return wanted
    if precision == "auto" and len(others) == 1:
        return others[0]
    names = ", ".join(path.name for path in others)
    raise ModelNotFoundError(f"{folder}{os.sep} must hold {wanted.name}, got {names}; rename one, or set precision")


def _stamp(paths: list[Path]) -> Stamp:
    stamp = []
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            continue
        stamp.append((path.name, state.st_ino, state.st_size, state.st_mtime_ns))
    return tuple(stamp)
