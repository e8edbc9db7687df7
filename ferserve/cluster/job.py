"""What a cluster is to do, and what became of each file."""

from __future__ import annotations

from dataclasses import dataclass, field

from ferserve.config import EngineConfig


@dataclass(frozen=True)
class ClusterJob:
    """Every video under ``source``, each to a part of its own under ``out``. Travels to the workers."""

    source: str
    """A folder, a video, or ``s3://BUCKET/PREFIX``."""
    out: str
    """A folder or ``s3://BUCKET/PREFIX``."""
    engine: EngineConfig = field(default_factory=EngineConfig)
    every: int = 1
    """Look at the first frame and then at every n-th one."""
    overwrite: bool = False
    """Make parts anew that are whole."""


@dataclass(frozen=True)
class StoredFile:
    """A video: ``name`` is its path under the source, with slashes."""

    name: str
    size: int
    """bytes"""
    modified_ns: int
    """Time of its last change, ns since 1970."""


@dataclass(frozen=True)
class FileReport:
    """What became of one file."""

    name: str
    part: str = ""
    """Path of its rows under the output; empty if there is none."""
    rows: int = 0
    frames: int = 0
    faults: int = 0
    """Frames that could not be read."""
    seconds: float = 0.0
    """What it took, s."""
    skipped: bool = False
    """Its part was whole before."""
    error: str = ""
    """Why there is no part."""
