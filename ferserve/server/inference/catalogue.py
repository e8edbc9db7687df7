"""The models of this protocol by name and version: each one as tensors, and as ``NAME_frames``."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from ferserve.errors import ModelNotFoundError
from ferserve.inference import service_pb2 as pb
from ferserve.runtime.loader import LoadedModel
from ferserve.server.inference.door import Door
from ferserve.server.inference.frames_model import SUFFIX, FramesModel
from ferserve.server.inference.sequences import Sequences
from ferserve.server.inference.statistics import RequestStatistics
from ferserve.server.inference.tensor_model import TensorModel
from ferserve.types import ModelDescription

Model: TypeAlias = TensorModel | FramesModel


def engine_name(name: str, version: str) -> str:
    """What the engine calls the model that a request names, in either form.

    Raises :class:`ModelNotFoundError` if the request names none: other than in our own protocol, there is no default.
    """
    base = name.removesuffix(SUFFIX)
    if not base:
        raise ModelNotFoundError("model name must be one of RepositoryIndex, got an empty one")
    return f"{base}@{version}" if version else base


class Catalogue:
    """Finds models, and makes their two forms. For the event loop's thread alone."""

    def __init__(self, door: Door, sequences: Sequences) -> None:
        self._door, self._sequences = door, sequences
        self._made: dict[tuple[str, str], Model] = {}
        self._statistics: dict[tuple[str, str], RequestStatistics] = {}

    async def find(self, name: str, version: str) -> Model:
        """The model that a request names, loaded; raises as :meth:`Engine.load` does."""
        made = self._made.get((name, version))
        engine = self._door.engine
        if made is not None and engine.is_loaded(made.key) and made.is_of(engine.load(made.key)):
            return made
        key = engine_name(name, version)
        loaded = engine.load(key) if engine.is_loaded(key) else await asyncio.to_thread(engine.load, key)
        self._made[name, version] = made = self._make(key, loaded, name)
        return made

    async def describe(self, name: str, version: str) -> ModelDescription:
        """What is known of a model, loaded or not; raises :class:`ModelNotFoundError`."""
        return await asyncio.to_thread(self._door.engine.model, engine_name(name, version))

    async def descriptions(self) -> list[tuple[str, ModelDescription]]:
        """Every version of every model in both forms, by the form's name."""
        known = await asyncio.to_thread(self._door.engine.models)
        return [(model.name + suffix, model) for model in known for suffix in ("", SUFFIX)]

    async def versions(self, name: str) -> list[str]:
        """Of a model in either form."""
        known = await asyncio.to_thread(self._door.engine.models)
        return [model.version for model in known if model.name == name.removesuffix(SUFFIX)]

    async def statistics(self, name: str, version: str) -> list[pb.ModelStatistics]:
        """The statistics of every model, or of the one that is named; raises :class:`ModelNotFoundError`."""
        known = await self.descriptions()
        if name:
            model = await self.describe(name, version)
            named = model.name + (SUFFIX if name.endswith(SUFFIX) else "")
            known = [item for item in known if item[0] == named and (not version or item[1].version == model.version)]
        for form, model in known:
            if self._door.engine.is_loaded(engine_name(form, model.version)):
                await self.find(form, model.version)  # its runs count, whoever asked for them
        return [self._of(form, model.version).to_proto(form, model.version) for form, model in known]

    def _make(self, key: str, loaded: LoadedModel, name: str) -> Model:
        spec = loaded.spec
        if name.endswith(SUFFIX):
            statistics = self._of(spec.name + SUFFIX, spec.version)
            return FramesModel(key, loaded, self._door, statistics, self._sequences)
        return TensorModel(key, loaded, self._door, self._of(spec.name, spec.version))

    def _of(self, name: str, version: str) -> RequestStatistics:
        return self._statistics.setdefault((name, version), RequestStatistics())
