"""The tool that compares revisions: two records of one tree are the same, and nothing that matters is overlooked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.same_answers.__main__ import main

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every 25th exchange."""
    out = tmp_path_factory.mktemp("records") / "first.jsonl"
    assert main(["record", "--out", str(out), "--every", "25", "--without-shared"]) == 0
    return out


def test_a_tree_answers_as_it_did_before(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = tmp_path / "again.jsonl"
    main(["record", "--out", str(again), "--every", "25", "--without-shared"])
    capsys.readouterr()
    code = main(["compare", str(recorded), str(again)])
    assert (code, capsys.readouterr().out.splitlines()[-1].endswith("0 differ")) == (0, True)
    statuses = {json.loads(line).get("status") for line in again.read_text().splitlines()}
    assert {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNAVAILABLE"} <= statuses


def _changed(recorded: Path, copy: Path, edit: Edit) -> Path:
    """A copy of a record with one line, the first that ``edit`` applies to (it raises for others), edited."""
    lines = [json.loads(line) for line in recorded.read_text().splitlines()]
    for line in lines:
        try:
            edit(line)
        except (KeyError, IndexError, TypeError):
            continue
        break
    else:
        pytest.fail("no line to edit")
    copy.write_text("\n".join(map(json.dumps, lines)))
    return copy


def _move_a_box(line: dict[str, Any]) -> None:
    line["answer"]["result"]["faces"]["faces"][0]["box"]["x0"] += 1e-5


def _reword(line: dict[str, Any]) -> None:
    if not line["details"]:
        raise KeyError
    line["details"] = "other words"


def _rename_a_kind(line: dict[str, Any]) -> None:
    line["trailing metadata"][0][1] = "other"


EDITS: dict[str, tuple[Edit, bool]] = {
    "box": (_move_a_box, False),
    "kind": (_rename_a_kind, False),
    "status": (lambda line: line.update(status=line["status"] + "x"), False),
    "missing field": (lambda line: line["answer"]["result"].pop("model_name"), False),
    "other message": (lambda line: line.update(asked=line["asked"] + "0"), False),
    "exit code": (lambda line: line.update({"exit code": line["exit code"] + 1}), False),
    "wording": (_reword, True),
}


@pytest.mark.parametrize("name", EDITS)
def test_each_difference_is_told(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    edit, only_wording = EDITS[name]
    compared = ["compare", str(recorded), str(_changed(recorded, tmp_path / "edited.jsonl", edit))]
    assert main(compared) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith(" 1 differ")
    assert main([*compared, "--ignore-details"]) == (0 if only_wording else 1)


def test_an_answer_that_is_missing_is_told(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shorter = tmp_path / "shorter.jsonl"
    shorter.write_text(recorded.read_text().split("\n", 1)[1])
    assert main(["compare", str(recorded), str(shorter)]) == 1
    assert "only in the first" in capsys.readouterr().out
