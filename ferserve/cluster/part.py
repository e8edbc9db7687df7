"""The rows of one video, in a Parquet file that says what it was made of."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ferserve._version import __version__
from ferserve.analysis.columns import TABLE_VERSION
from ferserve.cluster.job import ClusterJob, FileReport, StoredFile
from ferserve.cluster.storage import Storage
from ferserve.engine import Engine
from ferserve.errors import explained_imports

FINGERPRINT_KEY = "ferserve.made_of"
_SPECIAL = re.compile("[%=\udc80-\udcff]")
"""What names of parts cannot have: a folder with '=' would be a partition to Hive, and bytes that are no UTF-8."""


def part_name(file: StoredFile) -> str:
    """Where the rows of ``file`` go: a part per file, in folders like those of the videos."""
    return f"faces/{_SPECIAL.sub(lambda sign: quote(sign[0], errors='surrogateescape'), file.name)}.parquet"


def fingerprint(job: ClusterJob, file: StoredFile, engine: Engine) -> str:
    """What the rows depend on: the file, the models, the settings, and the versions of the software."""
    model = engine.model("")
    made_of = {
        "ferserve": __version__,
        "table": TABLE_VERSION,
        "file": dataclasses.asdict(file),
        "model": [model.name, model.version, model.sha256],
        "engine": dataclasses.asdict(engine.config),
        "every": job.every,
    }
    return json.dumps(made_of, sort_keys=True)


def report_of(source: Path | Any, file: StoredFile, **more: Any) -> FileReport:
    """The counts of a part, which is a local path or an open file; raises pyarrow's errors if it is not whole."""
    with explained_imports():
        import pyarrow.parquet as pq
    table = pq.read_table(source, columns=["frame", "outcome"]).to_pydict()
    frames = dict(zip(table["frame"], table["outcome"], strict=True))
    faults = sum(outcome == "fault" for outcome in frames.values())
    return FileReport(file.name, part_name(file), len(table["frame"]), len(frames), faults, **more)


def whole_part(storage: Storage, file: StoredFile, made_of: str) -> FileReport | None:
    """The report of a part that was made of the same; None if there is none, or it is damaged or of something else."""
    with explained_imports():
        import pyarrow as pa
        import pyarrow.parquet as pq
    try:
        with storage.open(part_name(file)) as part:
            metadata = pq.read_schema(part).metadata or {}
            if metadata.get(FINGERPRINT_KEY.encode()) != made_of.encode():
                return None
            part.seek(0)
            return report_of(part, file, skipped=True)
    except (FileNotFoundError, pa.ArrowException):
        return None
