"""The published works beside ours: figures come from the cost page, and a page without marks is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.published import COLUMNS, MARKS, OURS, WORKS, insert, read_cost, table
from tests.benchmarks.trees import ROOT


def test_every_work_has_the_same_network_here() -> None:
    """The cost page has a row for each, and frames per second are the inverse of its median."""
    cost = read_cost(ROOT / "docs" / "cost.md")
    lines = table(cost).splitlines()
    for work, line in zip(WORKS, lines[2:], strict=False):
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        assert cells[:4] == [work.work, work.network, work.machine, f"{work.fps:g}"]
        onnx_ms = cost.median_ms[work.model][COLUMNS["ONNX Runtime"]]
        assert float(cells[6].replace(",", "")) == pytest.approx(1000 / onnx_ms, rel=0.02)
        ours_ms = cost.median_ms[OURS][COLUMNS["ONNX Runtime, INT8"]]
        assert float(cells[-1].replace(",", "")) == pytest.approx(1000 / ours_ms, rel=0.02)
    assert lines[-1] == f"Here: {cost.about}"


def test_the_table_goes_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n" + "\nold\n".join(MARKS) + "\nafter\n")
    insert("new\n", page)
    insert("newer\n", page)
    assert page.read_text() == f"before\n{MARKS[0]}\nnewer\n{MARKS[1]}\nafter\n"


def test_pages_without_tables_or_marks_are_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="must hold the tables of python -m training cost"):
        read_cost(page)
    with pytest.raises(ValueError, match="once each; write them there"):
        insert("new\n", page)
