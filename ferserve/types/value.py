"""Equality, hash and plain data for frozen dataclasses that hold arrays and mappings."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from enum import Enum
from typing import Any

from ferserve.types.arrays import is_array


class Value:
    """Base of the dataclasses in this package, which are declared with ``eq=False``.

    Two values are equal if they have the same class and equal fields; arrays are equal if shape and elements are.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if self.__class__ is not other.__class__:
            return NotImplemented
        return self is other or _key(self) == _key(other)

    def __hash__(self) -> int:
        return hash(_key(self))


def _key(value: Any) -> Hashable:
    """A hashable that is equal for equal values."""
    if isinstance(value, Value):
        fields = dataclasses.fields(value)  # type: ignore[arg-type]  # every subclass is a dataclass
        return value.__class__, *(_key(getattr(value, f.name)) for f in fields)
    if is_array(value):
        return value.shape, value.tobytes() if value.dtype.kind in "bui" else tuple(value.ravel().tolist())
    if isinstance(value, Mapping):
        return frozenset((key, _key(item)) for key, item in value.items())
    if isinstance(value, tuple):
        return tuple(map(_key, value))
    return bytes(value) if isinstance(value, memoryview) else value


def to_plain(value: Any) -> Any:
    """``value`` in the types of JSON: arrays and tuples as lists, enums as their values."""
    if isinstance(value, Enum):
        return value.value
    if is_array(value):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value.item() if hasattr(value, "dtype") else value  # a number of NumPy
