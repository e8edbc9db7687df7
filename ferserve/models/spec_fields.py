"""Fields of specs: read from JSON and checked against the types that the dataclasses declare."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ferserve.errors import ModelSpecError

T = TypeVar("T")


def check(owner: str, name: str, value: object, ok: bool, expected: str) -> None:
    """Raises :class:`ModelSpecError` that names the field, unless ``ok``."""
    if not ok:
        raise ModelSpecError(f"{owner}.{name} must be {expected}, got {value!r}")


def check_types(spec: Any, owner: str) -> None:
    """Raises :class:`ModelSpecError` if a field of the dataclass ``spec`` does not have its declared type.

    Numbers must be finite; a string may be empty only if its default is. Fields of types without a rule in
    :data:`_TYPES` are left to the dataclass.
    """
    for name, (fits, expected) in _rules(spec.__class__).items():
        value = getattr(spec, name)
        check(owner, name, value, fits(value), expected)


def read_object(text: str | bytes, source: str) -> dict[str, Any]:
    """The JSON object in ``text``. Raises :class:`ModelSpecError` that names ``source``."""
    try:
        value = json.loads(text)
        json.dumps(
            value, ensure_ascii=False
        ).encode()  # JSON may escape half a surrogate pair, which no message can carry
    except (ValueError, RecursionError) as error:
        raise ModelSpecError(f"{source} must be valid JSON, got {error}") from None
    if not isinstance(value, dict):
        raise ModelSpecError(f"{source} must be a JSON object, got {type(value).__name__}")
    return value


def build(kind: type[T], value: object, where: str) -> T:
    """Build the dataclass ``kind`` from JSON types, with tuples for lists.

    Raises :class:`ModelSpecError` for unknown and missing keys.
    """
    if not isinstance(value, Mapping):
        raise ModelSpecError(f"{where} must be an object, got {value!r}")
    known = _fields(kind)
    for key in value:
        if key not in known:
            raise ModelSpecError(f"{where}.{key} must be one of {', '.join(known)}, got an unknown key")
    for name, f in known.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise ModelSpecError(f"{where}.{name} must be given, got nothing")
    return kind(**{key: tuple(item) if isinstance(item, list) else item for key, item in value.items()})


_Rule = tuple[Callable[[Any], bool], str]


def is_whole(value: object) -> bool:
    """True for an int other than True and False."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


_TYPES: dict[Any, _Rule] = {
    str: (lambda value: isinstance(value, str), "a string"),
    int: (is_whole, "a whole number"),
    float: (_is_number, "a finite number"),
    bool: (lambda value: isinstance(value, bool), "true or false"),
    tuple[str, ...]: (
        lambda value: isinstance(value, tuple) and all(isinstance(item, str) for item in value),
        "strings",
    ),
    tuple[int, ...]: (lambda value: isinstance(value, tuple) and all(map(is_whole, value)), "whole numbers"),
    tuple[float, ...]: (lambda value: isinstance(value, tuple) and all(map(_is_number, value)), "finite numbers"),
    Mapping[str, float]: (
        lambda value: isinstance(value, Mapping) and all(map(_is_number, value.values())),
        "finite numbers by name",
    ),
}


@cache
def _rules(kind: type[Any]) -> dict[str, _Rule]:
    """Per field: the check of its value, and the expectation in an error."""
    hints, rules = get_type_hints(kind), {}
    for name, f in _fields(kind).items():
        hint = hints[name]
        if get_origin(hint) is Literal:
            rules[name] = get_args(hint).__contains__, f"one of {get_args(hint)}"
        elif hint is str and f.default != "":
            rules[name] = lambda value: isinstance(value, str) and value != "", "a non-empty string"
        elif hint in _TYPES:
            rules[name] = _TYPES[hint]
    return rules


def _fields(kind: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    return {f.name: f for f in dataclasses.fields(kind)}
