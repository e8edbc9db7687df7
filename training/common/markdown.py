"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, without a line break at its end."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, ["---"] * len(headings), *rows))
