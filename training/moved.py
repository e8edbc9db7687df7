"""Old module names, from before version 0.2: ``python -m training.emotion.card`` still runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

MOVED: Final = {
    "training.emotion": "training.emotion_lite",
    "training.emotion.ablation": "training.emotion_lite.ablation",
    "training.emotion.boxes": "training.emotion_lite.boxes",
    "training.emotion.card": "training.emotion_lite.card",
    "training.emotion.release": "training.emotion_lite.release",
    "training.emotion.together": "training.emotion_lite.ensemble",
    "training.detection": "training.face_lite",
    "training.detection.clips": "training.face_lite.reports.clips",
    "training.detection.gallery": "training.face_lite.reports.gallery",
    "training.detection.quantize": "training.face_lite.quantize",
    "training.detection.report": "training.face_lite.reports.report",
}


class MovedModules:
    """Imports a module under its old name from its present file."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See :class:`importlib.abc.MetaPathFinder`."""
        if name not in MOVED:
            return None
        found = importlib.util.find_spec(MOVED[name])
        assert found is not None
        assert found.origin is not None
        return importlib.util.spec_from_file_location(
            name, found.origin, submodule_search_locations=found.submodule_search_locations
        )
