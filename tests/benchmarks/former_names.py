"""Modules that had another name in the past, so that today's subjects can measure yesterday's package."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

FORMER = {
    "ferserve.bench.call": ("ferserve.bench.http2",),
    "ferserve.detection.base": ("ferserve.detection.face_lite", "ferserve.detect"),
    "ferserve.detection.factory": ("ferserve.detectors",),
    "ferserve.models.spec": ("ferserve.model_spec",),
    "ferserve.models.store": ("ferserve.model_store",),
    "ferserve.vision.decode": ("ferserve.decode",),
    "ferserve.vision.preprocess": ("ferserve.preprocess",),
    "ferserve.wire.frames": ("ferserve.wire.server_messages", "ferserve.server.converters"),
    "ferserve.wire.results": ("ferserve.wire.server_messages", "ferserve.server.converters"),
}
PACKAGES = ("ferserve.detection", "ferserve.vision", "ferserve.wire")
"""Those that did not exist at first."""


class FormerNames(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Asked last: finds a module by its former name if the tree has no module of today's."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Of a module in the table, or of an empty package for it."""
        if name in PACKAGES:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return importlib.machinery.ModuleSpec(name, self) if _former(name) else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """The module of the former name, which is another module for all that it imports."""
        former = _former(spec.name)
        return ModuleType(spec.name) if former is None else _copy(importlib.import_module(former), spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """It has run under its former name."""


def _former(name: str) -> str | None:
    return next((former for former in FORMER.get(name, ()) if _exists(former)), None)


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its package is not there either
        return False


def _copy(module: ModuleType, name: str) -> ModuleType:
    copy = ModuleType(name, module.__doc__)
    copy.__dict__.update({key: value for key, value in vars(module).items() if not key.startswith("__")})
    return copy


def know_former_names() -> None:
    """For the rest of this process."""
    sys.meta_path.append(FormerNames())
