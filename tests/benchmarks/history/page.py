"""The history as one HTML page: no script, no file beside it, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from tests.benchmarks.environment import differences
from tests.benchmarks.history.chart import chart
from tests.benchmarks.history.lines import History, Line
from tests.benchmarks.history.panels import FIGURES, Figure, panel, titles

STYLE = Path(__file__).with_name("style.css")
KEYS = {
    "o": '<circle class="mark" cx="24" cy="7" r="4"/>',
    "s": '<rect class="mark" x="20" y="3" width="8" height="8"/>',
    "^": '<path class="mark" d="M19 11h10l-5 -9z"/>',
}
EMPTY = {
    "ratio": "no yardstick",
    "instructions": "not counted: they differ from run to run",
    "fps": "not timed",
}
HEAD = """<p>Every point is one revision of this repository, built and measured by the subjects of today. Times differ
from hour to hour, so read the <b>ratio</b>, measured in turns with a yardstick, and the <b>instructions</b>, which
repeat; figures per second are those of one minute of one machine. The scales are logarithmic. Bars are the quartiles of
all turns, a cross is a revision whose package lacks what the subject calls: the table below says why. Point at a
revision, or reach it by the tabulator, to see its values. <code>docs/benchmarks.md</code>
says how it is measured.</p>"""


def page(history: History) -> str:
    """The whole document."""
    body = "".join(_section(name, lines) for name, lines in history.classes.items())
    refused = "".join(f"<li>{escape(reason)}</li>" for reason in history.refused)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>ferserve: speed over revisions</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{STYLE.read_text('utf-8')}</style></head><body>\n<h1>Speed over revisions</h1>\n{HEAD}\n"
        f'<ul class="keys">{"".join(map(_key, FIGURES))}</ul>\n{body or "<p>The history has no line yet.</p>"}'
        f"{f'<h2>Lines that were left out</h2><ul>{refused}</ul>' if refused else ''}</body></html>\n"
    )


def _key(figure: Figure) -> str:
    line = '<polyline class="line" points="0,7 48,7"/>'
    mark = f'<svg class="{figure.key}" viewBox="0 0 48 14" aria-hidden="true">{line}{KEYS[figure.marker]}</svg>'
    return f"<li>{mark}{figure.name}, {figure.better}</li>"


def _section(name: str, lines: Sequence[Line]) -> str:
    """One class of machines."""
    groups = groupby(titles(lines), key=lambda title: title.partition(": ")[0])
    shown = "".join(
        f"<h3>{escape(group)}</h3>\n{''.join(_subject(lines, title) for title in members)}" for group, members in groups
    )
    return f"<h2>{escape(name)}</h2>\n{shown}<h3>Revisions</h3>\n{_table(lines)}"


def _subject(lines: Sequence[Line], title: str) -> str:
    panels = {figure: panel(lines, title, figure) for figure in FIGURES}
    cells = "".join(
        f'<div class="cell">{chart(found)}</div>' if found else f'<div class="cell empty">{EMPTY[figure.key]}</div>'
        for figure, found in panels.items()
    )
    yardstick = next((found.yardstick for found in panels.values() if found and found.yardstick), "")
    beside = f"<span>beside {escape(yardstick)}</span>" if yardstick else ""
    return f'<div class="subject"><h4>{escape(title.partition(": ")[2])}{beside}</h4>{cells}</div>\n'


def _table(lines: Sequence[Line]) -> str:
    heads = (
        "revision",
        "committed",
        "what it did",
        "subjects",
        "could not be measured",
        "other versions than the newest",
    )
    others = [escape(", ".join(differences(line["versions"], lines[-1]["versions"]))) for line in lines]
    rows = "".join(
        f"<tr><td><code>{line['revision'][:7]}</code></td><td>{line['committed'][:16].replace('T', ' ')}</td>"
        f'<td>{escape(line["commit_subject"])}</td><td class="number">{len(line["subjects"])}</td>'
        f"<td>{_reasons(line)}</td><td>{other}</td></tr>\n"
        for line, other in zip(lines, others, strict=True)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{"".join(f"<th>{head}</th>" for head in heads)}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>\n"
    )


def _reasons(line: Line) -> str:
    if not line["failed"]:
        return "everything was"
    items = "".join(f"<li>{escape(title)}: {escape(why)}</li>" for title, why in sorted(line["failed"].items()))
    return f"<details><summary>{len(line['failed'])}</summary><ul>{items}</ul></details>"
