"""Errors of single settings."""

from __future__ import annotations

from typing import Any

from ferserve.errors import ConfigError


def check(name: str, value: Any, ok: bool, expected: str) -> None:
    if not ok:
        raise ConfigError(f"{name} must be {expected}, got {value!r}")


def check_needs(name: str, value: str, other_name: str, other: str) -> None:
    if value and not other:
        raise ConfigError(f"{name} needs {other_name}; set {other_name} or drop {name}")
