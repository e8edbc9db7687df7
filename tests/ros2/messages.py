"""Message classes of :data:`DEFINITIONS` that are as strict as those that ROS generates: an unknown field, a value of
another type or out of range, or an array of another length is an error."""

from __future__ import annotations

import array
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ClassVar

from tests.ros2.definitions import DEFINITIONS

_RANGES = {
    "uint8": (0, 2**8 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
}
_DEFAULTS: dict[str, Any] = {"string": "", "bool": False, "byte": b"\x00", "float32": 0.0, "float64": 0.0}


class Message:
    """Base of all messages; ``FIELDS`` maps names to types, as in the definition."""

    FIELDS: ClassVar[dict[str, str]] = {}
    __slots__ = ()

    def __init__(self, **values: Any) -> None:
        for name, kind in self.FIELDS.items():
            setattr(self, name, values.pop(name) if name in values else default(kind))
        assert not values, f"{type(self).__name__} has no {', '.join(values)}"

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.FIELDS:
            raise AttributeError(f"{type(self).__name__} has no field {name}")
        check(self.FIELDS[name], value, f"{type(self).__name__}.{name}")
        object.__setattr__(self, name, value)


CLASSES: dict[str, type[Message]] = {}


def default(kind: str) -> Any:
    """The value of a field that nobody set."""
    base, length = _array(kind)
    if length is not None:
        return [default(base) for _ in range(int(length or 0))]
    return _DEFAULTS[base] if base in _DEFAULTS else 0 if base in _RANGES else CLASSES[base]()


def check(kind: str, value: Any, place: str) -> None:
    """Raise AssertionError unless ``value`` fits the type ``kind``."""
    base, length = _array(kind)
    if length is not None:
        assert isinstance(value, list | tuple | bytes | array.array), f"{place} must be a sequence, got {value!r}"
        assert not length or len(value) == int(length), f"{place} must have {length} elements, got {len(value)}"
        for element in value if not isinstance(value, bytes | array.array) else ():
            check(base, element, place)
    elif base in _RANGES:
        low, high = _RANGES[base]
        assert type(value) is int, f"{place} must be an int, got {value!r}"
        assert low <= value <= high, f"{place} must be within [{low}, {high}], got {value}"
    elif base == "byte":
        assert isinstance(value, bytes), f"{place} must be a byte, got {value!r}"
        assert len(value) == 1, f"{place} must be a byte, got {value!r}"
    else:
        wanted = {"string": str, "bool": bool, "float32": float, "float64": float}.get(base) or CLASSES[base]
        assert isinstance(value, wanted), f"{place} must be a {base}, got {value!r}"


def _array(kind: str) -> tuple[str, str | None]:
    """Element type and length of an array type; an empty length is any, None no array."""
    match = re.fullmatch(r"([\w/]+)\[(\d*)\]", kind)
    return (match[1], match[2]) if match else (kind, None)


def parse(text: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Types of the fields by name, and constants, of a definition."""
    fields, constants = {}, {}
    for line in filter(None, map(str.strip, text.splitlines())):
        kind, rest = line.split(None, 1)
        if "=" in rest:
            name, value = rest.split("=")
            constants[name] = (
                value.strip('"') if kind == "string" else bytes([int(value)]) if kind == "byte" else int(value)
            )
        else:
            fields[rest] = kind
    return fields, constants


def modules() -> Iterator[ModuleType]:
    """The packages of the messages, such as ``hri_msgs``, and their modules ``msg``."""
    made: dict[str, ModuleType] = {}
    for full_name, text in DEFINITIONS.items():
        package, name = full_name.split("/")
        if package not in made:
            made[package], made[f"{package}.msg"] = ModuleType(package), ModuleType(f"{package}.msg")
            made[package].msg = made[f"{package}.msg"]  # type: ignore[attr-defined]
        fields, constants = parse(text)
        CLASSES[full_name] = type(name, (Message,), {"FIELDS": fields, "__slots__": tuple(fields), **constants})
        setattr(made[f"{package}.msg"], name, CLASSES[full_name])
    yield from made.values()
