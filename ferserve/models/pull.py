"""Downloads the models listed here, only at the user's request.

A file must match its SHA-256 before it is stored, and again before it is used.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from ferserve.errors import ModelNotFoundError, ModelPullError

TIMEOUT_S = 30.0
_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class PullableModel:
    """A model that others publish: address, digest and licence."""

    name: str
    url: str
    sha256: str
    license: str
    summary: str


PULLABLE = {
    "yunet": PullableModel(
        name="yunet",
        url="https://media.githubusercontent.com/media/opencv/opencv_zoo/"
        "82b38c8f98e7b52aa171400f3e4c722352d0669f/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        license="MIT",
        summary="YuNet, OpenCV's face detector for colour pictures",
    )
}
"""Models by the name that ``ferserve models pull`` takes."""


def default_pull_dir() -> Path:
    """Folder of pulled models: ``$FERSERVE_PULL_DIR``, else ``ferserve/models`` in the user's data folder (XDG)."""
    chosen = os.environ.get("FERSERVE_PULL_DIR")
    if chosen:
        return Path(chosen)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "ferserve" / "models"


def pulled_model(name: str, folder: Path | None = None) -> Path:
    """Path of a pulled model.

    Raises :class:`ModelNotFoundError` if it was never pulled, and :class:`ModelPullError` if the file is damaged or was
    replaced since.
    """
    path = (folder or default_pull_dir()) / f"{name}.onnx"
    if not path.is_file():
        raise ModelNotFoundError(
            f"{name} must be pulled before it is used, got no {path}; run `ferserve models pull {name}`, "
            f"or `ferserve models pull {name} --from FILE` without network"
        )
    way_out = f"run `ferserve models pull {name}` again"
    _require_digest(PULLABLE[name], _read_file(path, way_out), str(path), way_out)
    return path


def pull_model(name: str, source: Path | None = None, folder: Path | None = None) -> Path:
    """Download a model, or copy it from the file ``source``, to the folder of :func:`pulled_model`; returns its path.

    Raises :class:`ModelNotFoundError` for a name that is not in :data:`PULLABLE`, and :class:`ModelPullError` if the
    file cannot be read or has another digest; an earlier file then stays in place.
    """
    if name not in PULLABLE:
        raise ModelNotFoundError(f"model must be one of {', '.join(sorted(PULLABLE))} to be pulled, got {name!r}")
    wanted = PULLABLE[name]
    if source is None:
        data, way_out = _read_url(wanted), f"download it elsewhere and run `ferserve models pull {name} --from FILE`"
    else:
        way_out = f"the right file is at {wanted.url}"
        data = _read_file(source, way_out)
    _require_digest(wanted, data, str(source or wanted.url), f"nothing was changed; {way_out}")
    return _put(data, (folder or default_pull_dir()) / f"{name}.onnx")


def _require_digest(wanted: PullableModel, data: bytes, source: str, way_out: str) -> None:
    digest = hashlib.sha256(data).hexdigest()
    if digest != wanted.sha256:
        raise ModelPullError(
            f"{source} must have the SHA-256 {wanted.sha256}, got {digest} in {len(data)} bytes; {way_out}"
        )


def _read_url(wanted: PullableModel) -> bytes:
    try:
        with urllib.request.urlopen(wanted.url, timeout=TIMEOUT_S) as answer:
            data: bytes = answer.read(_MAX_BYTES)
            return data
    except (OSError, http.client.HTTPException) as error:
        raise ModelPullError(
            f"{wanted.url} must be reachable, got {getattr(error, 'reason', error)}; on a machine without network "
            f"download it elsewhere and run `ferserve models pull {wanted.name} --from FILE`"
        ) from None


def _read_file(source: Path, way_out: str) -> bytes:
    try:
        with source.open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError as error:
        raise ModelPullError(f"{source} must be a readable file, got {error.strerror}; {way_out}") from None


def _put(data: bytes, path: Path) -> Path:
    """Write a temporary file and rename it, so that no reader ever sees half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(partial, 0o644)
            os.replace(partial, path)
        except BaseException:
            os.unlink(partial)
            raise
    except OSError as error:
        raise ModelPullError(
            f"folder of pulled models must be writable, got {error}; set FERSERVE_PULL_DIR to another folder"
        ) from None
    return path
