"""Where in a TOML file a key is: Python's parser keeps no positions of values."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]")
_PAIR = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=\s*(.*)""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_INLINE = re.compile(r"""[{,]\s*([\w-]+|"[^"]*"|'[^']*')\s*=""")
_LONG_TEXT = ('"""', "'''")


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """The first line, from 1 on, of each table and key, by its path, such as ``("server", "port")``."""
    lines: dict[tuple[str, ...], int] = {}
    for number, path, value in _pairs(text):
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length], number)
        if value.startswith("{"):
            for found in _INLINE.findall(value):
                lines.setdefault((*path, _bare(found)), number)
    return lines


def pair_at(text: str, line: int) -> tuple[tuple[str, ...], str]:
    """The path and the text of the value on ``line``, whether it can be read or not; nothing if there is no pair."""
    return next(((path, value) for number, path, value in _pairs(text) if number == line and value), ((), ""))


def _pairs(text: str) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """Each header of a table and each key, with its line and what is behind the equals sign."""
    table: tuple[str, ...] = ()
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            closing = "" if closing in line else closing
        elif header := _HEADER.match(line):
            table = _parts(header[1])
            yield number, table, ""
        elif pair := _PAIR.match(line):
            yield number, (*table, *_parts(pair[1])), pair[2].strip()
            closing = next((mark for mark in _LONG_TEXT if pair[2].count(mark) == 1), "")


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(_bare(part) for part in _PART.findall(dotted))


def _bare(part: str) -> str:
    return part.strip("\"'")
