"""Downloads the models listed here, only at the user's request.

A file must match its SHA-256 before it is stored, and again before it is used. What breaks off is kept beside it and
goes on with the next pull.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ferserve.errors import ModelNotFoundError, ModelPullError
from ferserve.models.download import DownloadError, download

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
    wanted, path = PULLABLE[name], (folder or default_pull_dir()) / f"{name}.onnx"
    if source is None:
        return _download(wanted, path)
    way_out = f"the right file is at {wanted.url}"
    data = _read_file(source, way_out)
    _require_digest(wanted, data, str(source), f"nothing was changed; {way_out}")
    with _writable_folder():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            _put(Path(partial), path)
        except BaseException:
            os.unlink(partial)
            raise
    return path


def _require_digest(wanted: PullableModel, data: bytes, source: str, way_out: str) -> None:
    digest = hashlib.sha256(data).hexdigest()
    if digest != wanted.sha256:
        raise ModelPullError(
            f"{source} must have the SHA-256 {wanted.sha256}, got {digest} in {len(data)} bytes; {way_out}"
        )


def _download(wanted: PullableModel, path: Path) -> Path:
    offline = (
        f"on a machine without network download it elsewhere and run `ferserve models pull {wanted.name} --from FILE`"
    )
    partial = path.with_name(f".{path.name}.part")
    with _writable_folder():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            download(wanted.url, partial, _MAX_BYTES)
        except DownloadError as error:
            kept = f"{partial.stat().st_size} bytes are kept, pull again to go on; " if partial.stat().st_size else ""
            if not kept:
                partial.unlink(missing_ok=True)
            raise ModelPullError(f"{wanted.url} must be reachable, got {error}; {kept}{offline}") from None
        try:
            _require_digest(wanted, partial.read_bytes(), wanted.url, f"nothing was changed; {offline}")
        except ModelPullError:
            partial.unlink()
            raise
        _put(partial, path)
    return path


def _read_file(source: Path, way_out: str) -> bytes:
    try:
        with source.open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError as error:
        raise ModelPullError(f"{source} must be a readable file, got {error.strerror}; {way_out}") from None


def _put(partial: Path, path: Path) -> None:
    """Let a whole file take its place in one step, so that no reader ever sees half of it."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    os.chmod(partial, 0o644)
    os.replace(partial, path)


@contextlib.contextmanager
def _writable_folder() -> Iterator[None]:
    try:
        yield
    except ModelPullError:
        raise
    except OSError as error:
        raise ModelPullError(
            f"folder of pulled models must be writable, got {error}; set FERSERVE_PULL_DIR to another folder"
        ) from None
