"""Foreign files become models: with a spec beside them, or in a repository, after one run that proves it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ferserve.errors import ConfigError, ModelNotFoundError
from ferserve.models.families import GraphTensor, family, spec_like
from ferserve.models.repository import MODEL_FILE
from ferserve.models.spec import ModelSpec
from ferserve.models.store import ModelFile, open_model_file
from ferserve.runtime.backends import open_session
from ferserve.runtime.classifier import Classifier

FIRST_RUN_S = 60.0


def spec_of(path: Path, like: str, name: str, version: str) -> ModelSpec:
    """The spec of the file at ``path`` as a model of the family ``like``.

    Raises :class:`ModelNotFoundError` and :class:`ModelSpecError`.
    """
    kind = family(like)
    if not path.is_file():
        raise ModelNotFoundError(f"model must be a file that exists and can be reached, got {path}")
    session = open_session(path)
    inputs, outputs = (
        [GraphTensor(tensor.name, tensor.shape, tensor.dtype) for tensor in tensors]
        for tensors in (session.inputs, session.outputs)
    )
    return spec_like(kind, name, version, inputs, outputs)


def write_sidecar(path: Path, spec: ModelSpec) -> Path:
    """Write ``spec`` beside the file at ``path``, which it must fit; returns where.

    Raises :class:`ModelSpecError`, and :class:`ConfigError` if there is another one.
    """
    require_answer(ModelFile(path, spec))
    sidecar, text = path.with_suffix(".json"), spec.to_json(indent=2) + "\n"
    if sidecar.exists() and sidecar.read_text("utf-8") != text:
        raise ConfigError(f"{sidecar} must not be there yet, got another spec; move it away first")
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{sidecar.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(partial, 0o644)
    os.replace(partial, sidecar)
    return sidecar


def add_to_repository(path: Path, repository: Path, spec: ModelSpec) -> Path:
    """Copy the file at ``path`` to ``repository/NAME/VERSION``, with ``spec`` beside it; returns the new file.

    The version appears in one step, after it answered. Raises :class:`ModelSpecError`, and :class:`ConfigError` if the
    version is there already.
    """
    folder = repository / spec.name / spec.version
    if folder.exists():
        raise ConfigError(f"version must be a new one of {spec.name!r}, got {spec.version!r}, which is there; raise it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".adding-"))
    try:
        shutil.copyfile(path, partial / MODEL_FILE)
        write_sidecar(partial / MODEL_FILE, spec)
        partial.chmod(0o755)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial)
        raise
    return folder / MODEL_FILE


def require_answer(file: ModelFile) -> None:
    """Load a model and run it once, on a blank row; raises :class:`ModelSpecError` if it does not answer."""
    Classifier(open_session(file.path), file.spec).require_answer(FIRST_RUN_S)


def known_spec(path: Path) -> ModelSpec:
    """The spec that a file brings along; raises as :func:`open_model_file` does."""
    return open_model_file(path).spec
