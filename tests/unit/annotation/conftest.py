"""An engine that looks at clips, and a run over one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ferserve.annotation.file_run import Progress, Report, annotate
from ferserve.annotation.job import Job, Look, repeatable
from ferserve.config import EngineConfig
from ferserve.engine import Engine

Annotate = Callable[..., Report]


@pytest.fixture(scope="package")
def engine() -> Iterator[Engine]:
    with Engine(repeatable(EngineConfig())) as engine:
        yield engine


@pytest.fixture
def run(engine: Engine) -> Annotate:
    """Annotates a file, without plots, which take longest; the rest of the arguments are those of :class:`Look`."""

    def run(
        source: Path,
        folder: Path,
        *,
        tell: Callable[[Progress], None] = lambda progress: None,
        stop: threading.Event | None = None,
        overwrite: bool = False,
        resume: bool = False,
        **look: Any,
    ) -> Report:
        job = Job(source.name, str(source), folder, Look(**{"plots": False} | look), overwrite, resume)
        return annotate(engine, job, stop or threading.Event(), tell)

    return run
