"""Tables and shares in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def percent(share: float) -> str:
    """A share from 0 to 1 with two decimals of a percent."""
    return f"{100 * share:.2f} %"


def table(head: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; ``head`` holds its titles, separated by bars."""
    yield f"| {head} |"
    yield "|---" * (head.count("|") + 1) + "|"
    for cells in rows:
        yield f"| {' | '.join(cells)} |"
