"""Files of figures: whole or absent, one line per subject, and no other schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.record import SCHEMA, read_record, record, write_record


def test_a_record_comes_back_with_a_line_per_subject(tmp_path: Path) -> None:
    written = record("instructions", "abc", {"python": "3"}, {"b": {"instructions": 2}, "a": {"instructions": 1}})
    write_record(tmp_path / "r.json", written)
    assert read_record(tmp_path / "r.json", "instructions") == written
    lines = (tmp_path / "r.json").read_text().splitlines()
    assert [line.strip() for line in lines if 'instructions": ' in line and "kind" not in line] == [
        '"a": {"instructions": 1},',
        '"b": {"instructions": 2}',
    ]


def test_another_kind_or_schema_is_refused(tmp_path: Path) -> None:
    written = record("comparison", "abc", {}, {})
    write_record(tmp_path / "r.json", written)
    with pytest.raises(ValueError, match="must hold 'instructions' of schema"):
        read_record(tmp_path / "r.json", "instructions")
    write_record(tmp_path / "r.json", {**written, "schema": SCHEMA + 1})
    with pytest.raises(ValueError, match=f"of schema {SCHEMA}, got 'comparison' of schema {SCHEMA + 1}"):
        read_record(tmp_path / "r.json", "comparison")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    write_record(path, record("comparison", "old", {}, {}))
    before = path.read_text()

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(OSError, match="No space"):
        write_record(path, record("comparison", "new", {}, {}))
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
