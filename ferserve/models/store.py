"""Models by name: the bundled ones, those in the user's folder, or one file. Nothing is downloaded."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ferserve.errors import ModelNotFoundError, ModelSpecError, quoted
from ferserve.models.detector_spec import DETECTOR_METADATA_KEY
from ferserve.models.onnx_metadata import read_metadata
from ferserve.models.spec import METADATA_KEY, ModelSpec, example_spec

BUNDLED_DIR = Path(__file__).parent
_MAX_COMPARED = 128
"""Characters of an unknown name that are compared with the known ones: the time grows with its square."""


@dataclass(frozen=True)
class ModelFile:
    """A weight file and its spec."""

    path: Path
    spec: ModelSpec

    @cached_property
    def sha256(self) -> str:
        """Digest of the file, lower-case hex."""
        return digest_of(self.path)


def digest_of(path: Path) -> str:
    """SHA-256 of the file at ``path``, lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def open_model_file(path: Path, shared_sidecar: Path | None = None) -> ModelFile:
    """Read the spec of an ONNX file, from inside it, from ``<name>.json`` beside it, or from ``shared_sidecar``.

    Raises :class:`ModelNotFoundError` for a missing file, and :class:`ModelSpecError` for a face detector and for a
    file without a spec; the message then shows the JSON to write.
    """
    if not os.path.isfile(path):  # Path.is_file raises for a name too long or a forbidden folder
        raise ModelNotFoundError(f"model must be a file that exists and can be reached, got {path}")
    metadata = metadata_of(path)
    if METADATA_KEY in metadata:
        return ModelFile(path, ModelSpec.from_json(metadata[METADATA_KEY], str(path)))
    if DETECTOR_METADATA_KEY in metadata:
        raise ModelSpecError(
            f"{path} must be a model that classifies faces, got a face detector; engine.detector chooses detectors"
        )
    sidecar = path.with_suffix(".json")
    for written in filter(None, (sidecar, shared_sidecar)):
        if os.path.isfile(written):
            return ModelFile(path, ModelSpec.from_sidecar(written))
    raise ModelSpecError(
        f"{path} must have a spec (labels, input, outputs), got neither metadata {METADATA_KEY!r} "
        f"nor {sidecar.name}; write {sidecar} like this:\n{example_spec(path.stem).to_json(indent=2)}"
    )


def metadata_of(path: Path) -> dict[str, str]:
    """Key-value metadata of an ONNX file. Raises :class:`ModelSpecError` for any other file."""
    try:
        return read_metadata(path)
    except (ValueError, OSError) as error:
        raise ModelSpecError(f"{path} must be an ONNX file, got {error}") from None


class ModelStore:
    """Finds models by name: the bundled ones first, then those in ``model_dir``."""

    def __init__(self, model_dir: Path | None = None) -> None:
        self._models: dict[str, ModelFile] = {}
        for path in _emotion_models(BUNDLED_DIR):
            self._add_distinct(path)
        if model_dir is not None:
            if not os.path.isdir(model_dir):
                raise ModelNotFoundError(f"model_dir must be a folder that exists and can be reached, got {model_dir}")
            for path in sorted(model_dir.glob("*.onnx")):
                self._add_distinct(path)

    def _add_distinct(self, path: Path) -> None:
        model = open_model_file(path)
        other = self._models.setdefault(model.spec.name, model)
        if other is not model:
            raise ModelSpecError(
                f"spec.name must be unique, got {model.spec.name!r} in {other.path} and in {path}; rename one"
            )

    def add(self, path: Path) -> ModelFile:
        """Add the model file at ``path``, or the model in the folder at ``path``.

        A folder may hold variants of its model (``NAME.onnx``, ``NAME-int8.onnx``): all are added, and the plain one is
        returned. An explicit path replaces a model of the same name.
        """
        files = _variants(path) if os.path.isdir(path) else [path]
        models = [open_model_file(file) for file in files]
        for model in models:
            self._models[model.spec.name] = model
        return models[0]

    def __contains__(self, name: str) -> bool:
        """Whether :meth:`get` finds a model of that name."""
        return name in self._models

    def models(self) -> list[ModelFile]:
        """All models, sorted by name."""
        return [self._models[name] for name in sorted(self._models)]

    def get(self, name: str) -> ModelFile:
        """The model of that name. Raises :class:`ModelNotFoundError` that lists all names."""
        if name in self._models:
            return self._models[name]
        near = difflib.get_close_matches(name[:_MAX_COMPARED], self._models, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ModelNotFoundError(f"model must be one of {', '.join(sorted(self._models))}, got {quoted(name)}{hint}")


def _variants(folder: Path) -> list[Path]:
    """ONNX files of a folder, the plain one first: its stem is a prefix of all others."""
    found = sorted(folder.glob("*.onnx"), key=lambda path: (len(path.stem), path.stem))
    if not found or not all(path.stem.startswith(found[0].stem) for path in found):
        names = ", ".join(path.name for path in found) or "no ONNX file"
        raise ModelNotFoundError(
            f"model must be a file, or a folder with one model (NAME.onnx and variants such as NAME-int8.onnx), "
            f"got {names} in {folder}"
        )
    return found


def _emotion_models(folder: Path) -> Iterator[Path]:
    """Paths of the bundled classifiers; the folder also holds detectors, which lack the metadata key."""
    for path in sorted(folder.glob("*.onnx")):
        if METADATA_KEY in metadata_of(path):
            yield path
