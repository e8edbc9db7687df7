"""Folders on disk and prefixes in buckets, alike."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ferserve.cluster.job import StoredFile
from ferserve.errors import ConfigError, explained_imports, quoted
from ferserve.sources.kinds import kind_of

_S3 = "s3://"
_CONNECT_S, _REQUEST_S, _TRIES = 5.0, 60.0, 3
"""Of a bucket: longest time to connect and to wait for an answer, and how often it is asked."""


class Storage:
    """What lies under one folder or prefix; names in it are relative, with slashes.

    ``s3://`` follows the settings of AWS in the environment, ``AWS_ENDPOINT_URL`` included.
    """

    def __init__(self, location: str) -> None:
        with explained_imports():
            from pyarrow import fs
        self.location = location
        self._fs_module = fs
        self._is_local = not location.startswith(_S3)
        if self._is_local:
            if "://" in location:
                raise ConfigError(f"location must be a path or s3://BUCKET/PREFIX, got {quoted(location)}")
            self._fs: Any = fs.LocalFileSystem()
            self.root = self.location = os.path.abspath(location)
        else:
            self._fs = _bucket(fs)
            self.root = location[len(_S3) :].rstrip("/")
            if not self.root:
                raise ConfigError(f"location must be s3://BUCKET/PREFIX, got {quoted(location)}")

    def videos(self) -> list[StoredFile]:
        """All videos, by their names, also in subfolders and in the order of their names; hidden ones are left out.

        A location that is a video itself becomes that of its folder.

        Raises:
            ConfigError: The location does not exist, refuses, or holds no video.
        """
        with self._explained("read"):
            files = self._files_on_disk() if self._is_local else self._objects()
        found = sorted((file for file in files if _is_wanted(file.name)), key=lambda file: file.name)
        if not found:
            raise ConfigError(f"source must hold at least one video, got none in {self.location}")
        return found

    def _files_on_disk(self) -> list[StoredFile]:
        if os.path.isfile(self.root):
            self.root, name = os.path.split(self.root)
            self.location = self.root
            paths = [os.path.join(self.root, name)]
        else:
            os.listdir(self.root)  # raises, unlike walk
            paths = [os.path.join(folder, name) for folder, _, names in os.walk(self.root) for name in names]
        stats = [(path, os.stat(path)) for path in paths if os.path.isfile(path)]
        names = [os.path.relpath(path, self.root).replace(os.sep, "/") for path, _ in stats]
        return [StoredFile(name, stat.st_size, stat.st_mtime_ns) for name, (_, stat) in zip(names, stats, strict=True)]

    def _objects(self) -> list[StoredFile]:
        infos = [self._fs.get_file_info(self.root)]
        if infos[0].is_file:
            self.root = self.root.rpartition("/")[0]
            self.location = f"{_S3}{self.root}"
        else:
            infos = self._fs.get_file_info(self._fs_module.FileSelector(self.root, recursive=True))
        start = len(self.root) + 1
        return [StoredFile(info.path[start:], info.size, info.mtime_ns or 0) for info in infos if info.is_file]

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The path of a file on this machine, which is a copy if it lies in a bucket."""
        if self._is_local:
            yield Path(self.root) / name
            return
        with tempfile.TemporaryDirectory(prefix="ferserve-") as folder:
            copy = Path(folder) / f"video{Path(name).suffix}"
            with self._fs.open_input_stream(self._path(name)) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            yield copy

    def open(self, name: str) -> Any:
        """A file to read at any place, as pyarrow reads; raises :class:`FileNotFoundError`."""
        return self._fs.open_input_file(self._path(name))

    def commit(self, file: Path, name: str) -> None:
        """Put ``file`` under ``name``: there is the older one or the new one, and never a half of it."""
        if not self._is_local:
            self._put(file, name)
            return
        target = Path(self.root) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
        try:
            shutil.copyfile(file, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        for left in target.parent.glob(f".{_literal(target.name)}.*.part"):  # by workers that were killed
            left.unlink(missing_ok=True)

    def _put(self, file: Path, name: str) -> None:
        # An object appears when its stream is closed; one write, so that it never closes in the middle.
        with self._fs.open_output_stream(self._path(name)) as target:
            target.write(file.read_bytes())

    def probe(self) -> None:
        """See that files can be written here; raises :class:`ConfigError`."""
        with self._explained("write"), tempfile.TemporaryDirectory(prefix="ferserve-") as folder:
            file = Path(folder) / "probe"
            file.write_bytes(b"ferserve")
            self.commit(file, ".ferserve-probe")
            with contextlib.suppress(OSError):  # who may not delete may write all the same
                self._fs.delete_file(self._path(".ferserve-probe"))

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    @contextlib.contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            text = " ".join((error.strerror or str(error)).split())
            hint = "the path" if self._is_local else "the bucket's name, its rights, and the settings of AWS"
            raise ConfigError(f"cannot {action} {self.location}: {text}; check {hint}") from error


def _bucket(fs: Any) -> Any:
    limits: dict[str, Any] = {"connect_timeout": _CONNECT_S, "request_timeout": _REQUEST_S}
    limits["retry_strategy"] = fs.AwsStandardS3RetryStrategy(max_attempts=_TRIES)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        scheme, _, host = endpoint.rstrip("/").rpartition("://")
        limits |= {"endpoint_override": host, "scheme": scheme or "https"}
    return fs.S3FileSystem(**limits)


def _is_wanted(name: str) -> bool:
    return not any(part.startswith(".") for part in name.split("/")) and kind_of(b"", name) == "video"


def _literal(name: str) -> str:
    """``name`` as a pattern that means nothing else."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)
