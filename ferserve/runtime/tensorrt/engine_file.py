"""The file of a built engine: what it was built for, and the engine, so that no other one is ever loaded."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

_MAGIC = b"ferserve-trt-1\n"
_MAX_HEADER = 4096


@dataclass(frozen=True)
class EngineKey:
    """Everything that an engine depends on."""

    model: str
    model_sha256: str
    tensorrt: str
    gpu: str
    compute_capability: str
    precision: str
    max_rows: int

    @property
    def file_name(self) -> str:
        """Readable at the front, unique at the end."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]
        return f"{re.sub(r'[^A-Za-z0-9._-]', '_', self.model)[:60]}-{self.precision}-{digest}.engine"

    @property
    def timing_name(self) -> str:
        """Of the timings of kernels, which all models on this GPU share."""
        parts = f"{self.gpu}-{self.compute_capability}-{self.tensorrt}"
        return f"timing-{re.sub(r'[^A-Za-z0-9._-]', '_', parts)[:100]}.cache"


def write_engine(path: Path, key: EngineKey, engine: bytes) -> None:
    """Write all of it or nothing: a reader, and a start after a crash, see the old file or the new one."""
    header = json.dumps({**asdict(key), "sha256": hashlib.sha256(engine).hexdigest()}).encode()
    write_whole(path, _MAGIC + header + b"\n" + engine)


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path`` and rename it."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_engine(path: Path, key: EngineKey) -> tuple[bytes | None, str]:
    """The engine if the file is whole and of this key; else None, and why."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, error.strerror or str(error)
    end = data.find(b"\n", len(_MAGIC), _MAX_HEADER)
    if not data.startswith(_MAGIC) or end < 0:
        return None, "it is no engine of ferserve"
    try:
        header = json.loads(data[len(_MAGIC) : end])
        digest = header.pop("sha256")
    except (ValueError, KeyError, AttributeError):
        return None, "its header is damaged"
    if header != asdict(key):
        return None, "it was built for something else"
    engine = data[end + 1 :]
    if hashlib.sha256(engine).hexdigest() != digest:
        return None, "it is damaged"
    return engine, ""
