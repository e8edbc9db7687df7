"""The history of figures: lines are whole or absent, what cannot be used is named, and the page shows the rest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.history import __main__ as recorder
from tests.benchmarks.history import report
from tests.benchmarks.history.lines import KIND, append, file_of, read_history
from tests.benchmarks.history.page import page
from tests.benchmarks.record import SCHEMA, record
from tests.benchmarks.trees import Tree

MACHINE = {"cpu": "Some <CPU> @ 2 GHz", "cores": "2", "system": "Linux x86_64"}
TITLE = "kernels: mirror"


def line(revision: str, committed: str = "2026-11-28T12:00:00+00:00", **row: Any) -> dict[str, Any]:
    more = {"committed": committed, "commit_subject": f"Do {revision}", "subjects_of": "now", "failed": {}}
    figures = {
        "fps": 50.0,
        "yardstick": "OpenCV",
        "ratio": 2.0,
        "ratio_quartiles": [1.9, 2.1],
        "instructions": 1234,
        **row,
    }
    written = record(KIND, revision, {"python": "3"}, {TITLE: {**figures, **row}}, **more)
    return {**written, "machine": MACHINE}


def test_lines_come_back_in_the_order_of_commits(tmp_path: Path) -> None:
    append(tmp_path, line("b", "2026-11-02T00:00:00+02:00"))
    append(tmp_path, line("a", "2026-11-01T23:00:00+00:00"))
    path = append(tmp_path, line("b", "2026-11-02T00:00:00+02:00", ratio=3.0))
    assert path == file_of(tmp_path, MACHINE) == tmp_path / "some-cpu-2-ghz-2-cores-linux-x86_64.jsonl"
    history = read_history(tmp_path)
    assert [[found["revision"] for found in lines] for lines in history.classes.values()] == [["b", "a"]]
    assert next(iter(history.classes.values()))[0]["subjects"][TITLE]["ratio"] == 3.0, "measured twice: the last counts"
    assert history.refused == []


def test_lines_that_cannot_be_used_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = append(tmp_path, line("a"))
    other = {**line("c"), "machine": {**MACHINE, "cores": "64"}}
    with path.open("a") as file:
        file.write(json.dumps({**line("b"), "schema": SCHEMA + 1}) + "\n")
        file.write(json.dumps(other) + "\n")
        file.write('{"schema": 1, "ki')
    append(tmp_path, line("d"))
    history = read_history(tmp_path)
    name = path.name
    assert [re.sub(r", got .*|: shown.*", "", reason) for reason in history.refused] == [
        f"{name}:2 must be 'history' of schema 1",
        f"{name}:3 is of another class of machines, Some <CPU> @ 2 GHz, 64 cores, Linux x86_64",
        f"{name}:4 must be a line of JSON with schema and kind",
    ]
    assert {key: [f["revision"] for f in lines] for key, lines in history.classes.items()} == {
        "Some <CPU> @ 2 GHz, 2 cores, Linux x86_64": ["a", "d"],
        "Some <CPU> @ 2 GHz, 64 cores, Linux x86_64": ["c"],
    }


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = append(tmp_path, line("a"))
    before = path.read_bytes()

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        append(tmp_path, line("b"))
    assert path.read_bytes() == before


def test_the_page_has_a_mark_and_a_text_for_every_revision(tmp_path: Path) -> None:
    append(tmp_path, line("a", "2026-11-01T10:00:00+00:00"))
    append(tmp_path, line("b", "2026-11-02T10:00:00+00:00", instructions=2000, ratio=4.0, ratio_quartiles=[3.9, 4.1]))
    unmeasured = {**line("c", "2026-11-03T10:00:00+00:00"), "subjects": {}, "failed": {"kernels": "no module 'x<y'"}}
    append(tmp_path, unmeasured)
    text = page(read_history(tmp_path))
    for tip in (
        "a, 1 Nov 10:00: 2 x (1.9 to 2.1)",
        "b, 2 Nov 10:00: 4 x (3.9 to 4.1)",
        "b, 2 Nov 10:00: 2,000",
        "50 /s",
    ):
        assert tip in text
    assert text.count("c, 3 Nov 10:00: not measured") == text.count('class="none"') == 3
    assert "Some &lt;CPU&gt;" in text
    assert "no module &#x27;x&lt;y&#x27;" in text
    assert not re.search(r"<script|<link|src=|@import|url\(", text), "one file, and nothing from elsewhere"
    assert "prefers-color-scheme: dark" in text


def test_what_was_refused_stands_on_the_page(tmp_path: Path) -> None:
    path = append(tmp_path, line("a"))
    path.write_text(path.read_text() + "nonsense\n")
    assert "must be a line of JSON" in page(read_history(tmp_path))
    assert "no line yet" in page(read_history(tmp_path / "empty"))


def test_the_page_in_the_documents_is_what_the_history_makes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["report", "--check"])
    assert report.main() == 0
    append(tmp_path, line("a"))
    monkeypatch.setattr("sys.argv", ["report", "--check", "--folder", str(tmp_path)])
    assert report.main() == 1
    assert "run make bench-report" in capsys.readouterr().err


def test_nothing_is_kept_of_a_revision_that_does_not_exist_or_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["history", "nowhere", "--folder", str(tmp_path / "new")])
    assert recorder.main() == 1
    assert "nothing was kept: REV must be a revision of this repository, got 'nowhere'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", ["history", "--folder", str(tmp_path / "file")])
    assert recorder.main() == 2
    assert "cannot be written; name another with --folder" in capsys.readouterr().err


def test_ctrl_c_keeps_nothing_of_the_revision_under_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(revision: str, *_: object) -> dict[str, Any]:
        if revision == "b":
            raise KeyboardInterrupt
        return line(revision)

    monkeypatch.setattr(recorder, "measure_revision", measure)
    monkeypatch.setattr("sys.argv", ["history", "a", "b", "c", "--folder", str(tmp_path)])
    assert recorder.main() == 130
    assert "the revision under way was not kept" in capsys.readouterr().err
    assert [found["revision"] for lines in read_history(tmp_path).classes.values() for found in lines] == ["a"]


def test_without_valgrind_times_are_kept_and_instructions_are_missed_aloud(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert recorder.count(Path(sys.executable), Tree(tmp_path, "tree"), tmp_path, tmp_path, "") == {}
    assert "no instructions are counted: valgrind is not installed" in capsys.readouterr().err


def test_a_package_of_the_past_is_found_under_its_former_names(tmp_path: Path) -> None:
    """Such as ``ferserve/decode.py``, which is ``ferserve/vision/decode.py`` today."""
    (tmp_path / "ferserve").mkdir()
    (tmp_path / "ferserve/__init__.py").touch()
    (tmp_path / "ferserve/decode.py").write_text("YEAR = 1999")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from tests.benchmarks.former_names import know_former_names; know_former_names()\n"
        "from ferserve.vision.decode import YEAR; print(YEAR)\n"
        "import ferserve.vision.preprocess"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(root)!r}); exec({code!r})"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == "1999\n"
    assert "No module named 'ferserve.vision.preprocess'" in done.stderr
