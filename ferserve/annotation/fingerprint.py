"""What an output is made of: two runs with the same fingerprint give the same bytes."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Any

from ferserve._version import __version__
from ferserve.annotation.job import Job, Locator
from ferserve.engine import Engine
from ferserve.scheduling.stream import EngineStream
from ferserve.sources.locators import is_url


def fingerprint(job: Job, engine: Engine, stream: EngineStream, *, live: bool) -> dict[str, Any]:
    """What the output of ``job`` depends on, in the types of JSON; a live source never gives the same again."""
    look = dataclasses.asdict(job.look)
    options = look.pop("stream")
    frame = options.pop("frame")
    return {
        "ferserve": __version__,
        "source": job.name.encode("utf-8", "backslashreplace").decode(),
        "files": [_stamp(path) for path in _paths(job.locator)],
        "begun": time.time() if live else None,
        "look": look,
        "options": {name: str(value) for name, value in sorted((options | frame).items())},
        "models": [[model.name, model.version, model.sha256] for model in stream.models],
        "detector": engine.config.detector,
        "engine": {name: str(value) for name, value in sorted(dataclasses.asdict(engine.config).items())},
    }


def _paths(locator: Locator) -> list[str]:
    if isinstance(locator, tuple):
        return list(locator)
    return [locator] if isinstance(locator, str) and not is_url(locator) else []


def _stamp(path: str) -> list[Any]:
    status = os.stat(path)
    name = os.path.abspath(path).encode("utf-8", "backslashreplace").decode()
    return [name, status.st_size, status.st_mtime_ns]
