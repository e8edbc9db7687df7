"""The one form of every file of figures: who measured what, where, with which versions."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.environment import machine

SCHEMA = 1


def record(
    kind: str, revision: str, versions: Mapping[str, str], subjects: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """``subjects`` by title, each with its figures."""
    now = datetime.datetime.now(datetime.timezone.utc)
    head = {"schema": SCHEMA, "kind": kind, "date": now.isoformat(timespec="seconds"), "revision": revision}
    return {
        **head,
        "machine": machine(),
        "versions": dict(versions),
        **more,
        "subjects": dict(sorted(subjects.items())),
    }


def write_record(path: Path, written: Mapping[str, Any]) -> None:
    """One line per subject, so that a diff shows which changed; the file is whole or absent, never half-written."""
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in written.items() if key != "subjects"]
    rows = [f"  {json.dumps(title)}: {json.dumps(row)}" for title, row in written["subjects"].items()]
    text = "{\n" + "\n".join(lines) + '\n "subjects": {\n' + ",\n".join(rows) + "\n }\n}\n"
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_record(path: Path, kind: str) -> dict[str, Any]:
    """Raises :class:`ValueError` for a file of another kind or schema."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if (found.get("schema"), found.get("kind")) != (SCHEMA, kind):
        got = f"{found.get('kind')!r} of schema {found.get('schema')!r}"
        raise ValueError(f"{path} must hold {kind!r} of schema {SCHEMA}, got {got}; write it anew")
    return found
