"""Tables as terminals of several widths show them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from ferserve.cli.table import bar_cells, faces_table
from ferserve.labels import FERPLUS
from ferserve.types import Face, HeadResult


def _face(label: str, confidence: float, box: tuple[float, float, float, float]) -> Face:
    """A face of which ``label`` is told, and ``contempt`` as second best."""
    probabilities = np.full(len(FERPLUS), (1 - confidence) / 100, np.float32)
    probabilities[FERPLUS.index("contempt")] = 0.9 * (1 - confidence)
    probabilities[FERPLUS.index(label)] = confidence
    return Face(box, 0.97, (HeadResult.of("emotion", FERPLUS, probabilities, frozenset()),), track_id=104)


WIDEST = _face("happiness", 0.49, (1034, 2200, 1134, 2345))
SURE = _face("neutral", 0.8, (10, 20, 30, 40))


def _lines(width: int, *faces: Face, terminal: bool = True) -> list[str]:
    console = Console(width=width, file=io.StringIO(), force_terminal=terminal, color_system=None)
    with console.capture() as shown:
        console.print(faces_table(faces, tracked=True, bar_cells=bar_cells(console)))
    return shown.get().splitlines()


@pytest.mark.parametrize("terminal", [True, False])
def test_the_widest_row_fits_into_80_columns_uncut(terminal: bool) -> None:
    head, row, _ = _lines(80, WIDEST, SURE, terminal=terminal)
    assert head.split() == ["face", "box", "(px)", "score", "emotion", "confidence", "then"]
    for words in ("104", "1034,2200 1134,2345", "0.97", "not sure: happiness", "0.49", "contempt 0.46"):
        assert words in row
    assert max(map(len, (head, row))) <= 80


@pytest.mark.parametrize("width", [40, 60, 79])
def test_narrow_terminals_get_every_word_on_further_lines(width: int) -> None:
    lines = _lines(width, WIDEST)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    if width >= 60:
        for words in ("1034,2200", "1134,2345", "not sure:", "happiness", "contempt", "0.46"):
            assert any(words in line for line in lines)


def test_bars_are_drawn_on_a_wide_terminal_only() -> None:
    assert "█" not in "".join(_lines(200, SURE, terminal=False))
    short, long = ("".join(_lines(width, SURE)) for width in (80, 120))
    assert (short.count("█"), short.count("░")) == (4, 1)
    assert (long.count("█"), long.count("░")) == (10, 2)


@pytest.mark.parametrize(
    ("probabilities", "then"), [((0.3, 0.1, 0.6), "leads 0.60"), ((0.9, 0.06, 0.04), "other 0.06")]
)
def test_then_comes_a_label_that_was_not_told_yet(probabilities: tuple[float, ...], then: str) -> None:
    """In a stream the label that was told holds until another leads clearly."""
    head = HeadResult("emotion", ("told", "other", "leads"), np.array(probabilities, np.float32), label_index=0)
    row = _lines(80, Face((0, 0, 9, 9), 0.9, (head,)))[1]
    assert row.count("told") == 1
    assert row.rstrip().endswith(then)


def test_a_model_of_one_label_has_nothing_to_say_after_it() -> None:
    head = HeadResult("face", ("face",), np.ones(1, np.float32), label_index=0)
    assert _lines(80, Face((0, 0, 9, 9), 0.9, (head,)), terminal=False)[1].split()[-2:] == ["face", "1.00"]
