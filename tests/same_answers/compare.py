"""Says where two records differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Line = dict[str, Any]
Key = tuple[str, str, int]


def read(path: Path) -> dict[Key, Line]:
    """The lines of a record by server, exchange and number."""
    lines = [json.loads(text) for text in path.read_text("utf-8").splitlines()]
    by_key = {(line["server"], line["exchange"], line["number"]): line for line in lines}
    if len(by_key) != len(lines):
        raise SystemExit(f"exchanges of {path} must have distinct names, got {len(lines) - len(by_key)} twice")
    return by_key


def differences(first: dict[Key, Line], second: dict[Key, Line], *, ignore_details: bool) -> Iterator[str]:
    """One text per line that differs; ``ignore_details`` leaves out the wording of errors and faults, but neither
    status nor kind.
    """
    for key in dict.fromkeys([*first, *second]):
        name = f"{key[0]} / {key[1]} / {key[2]}"
        if key not in first or key not in second:
            yield f"{name}: only in the {'second' if key in second else 'first'}"
            continue
        a, b = first[key], second[key]
        if ignore_details:
            a, b = _without_details(a), _without_details(b)
        changes = list(_changes(a, b, ""))
        if changes:
            yield "\n    ".join([f"{name}:", *changes])


def _without_details(value: Any, *parents: str) -> Any:
    if isinstance(value, list):
        return [_without_details(item, *parents) for item in value]
    if not isinstance(value, dict):
        return value
    reworded = "message" if parents[-1:] == ("fault",) else "details"
    return {key: _without_details(item, *parents, key) for key, item in value.items() if key != reworded}


def _changes(a: Any, b: Any, where: str) -> Iterator[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from _changes(a.get(key), b.get(key), f"{where}.{key}" if where else key)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (left, right) in enumerate(zip(a, b, strict=True)):
            yield from _changes(left, right, f"{where}[{i}]")
    elif a != b:
        yield f"{where}: {a!r} -> {b!r}"
