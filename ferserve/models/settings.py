"""What who deploys a model chooses for it alone: ``ferserve.toml`` beside its versions."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ferserve.config import Device
from ferserve.config_sources import toml_parser
from ferserve.errors import ConfigError
from ferserve.models.names import LATEST

SETTINGS_FILE = "ferserve.toml"
Precision = Literal["auto", "fp32", "fp16", "int8"]


@dataclass(frozen=True)
class ModelSettings:
    """Settings of one model; each that is left out is the engine's. Raises :class:`ConfigError`."""

    default: str = LATEST
    """Version or alias for callers that name neither."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Version by alias, such as ``stable``; ``latest`` is the highest version that is ready."""
    device: Device | None = None
    """As ``engine.device``."""
    precision: Precision = "auto"
    """Which file of a version is served: ``fp32`` is ``model.onnx``, ``fp16`` ``model-fp16.onnx``, ``int8``
    ``model-int8.onnx``; ``auto`` is ``model.onnx``, or the only file."""
    max_batch_size: int | None = None
    """As ``engine.max_batch_size``."""
    max_queue_delay_us: int | None = None
    """As ``engine.max_queue_delay_us``."""
    instances: int = 0
    """Most runs of the model at once, further ones wait; 0 for one per worker thread."""

    def __post_init__(self) -> None:
        devices, precisions = get_args(Device), get_args(Precision)
        _check("device", self.device, self.device in (None, *devices), f"one of {', '.join(devices)}")
        _check("precision", self.precision, self.precision in precisions, f"one of {', '.join(precisions)}")
        _check("max_batch_size", self.max_batch_size, 0 <= (self.max_batch_size or 0) <= 1024, "from 0 to 1024")
        delay_us = self.max_queue_delay_us
        _check("max_queue_delay_us", delay_us, 0 <= (delay_us or 0) <= 1_000_000, "from 0 to 1000000 us")
        _check("instances", self.instances, 0 <= self.instances <= 1024, "from 0 to 1024")
        for alias, version in self.aliases.items():
            _check("aliases", alias, alias not in ("", LATEST), f"other names than {LATEST!r}")
            _check(f"aliases.{alias}", version, isinstance(version, str) and version != "", "a version in quotes")

    @classmethod
    def read(cls, path: Path) -> ModelSettings:
        """Those in the file at ``path``, or the defaults if there is none. Raises :class:`ConfigError`."""
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return cls()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path.name} must be readable, got {error}") from None
        parse = toml_parser()
        try:
            values = parse(text)
        except ValueError as error:
            raise ConfigError(f"{path.name} must be TOML, got {error}") from None
        try:
            return cls(**{key: _typed(key, value) for key, value in values.items()})
        except ConfigError as error:
            raise ConfigError(f"{path.name}: {error}") from None


def _check(name: str, value: object, ok: bool, expected: str) -> None:
    if not ok:
        raise ConfigError(f"{name} must be {expected}, got {value!r}")


def _typed(key: str, value: Any) -> Any:
    """``value`` if it has the type of the field ``key``."""
    known = [f.name for f in dataclasses.fields(ModelSettings)]
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0)
        raise ConfigError(f"setting {key!r} is unknown; the nearest valid one is {near[0]!r}")
    if key == "aliases":
        _check(key, value, isinstance(value, Mapping), "a table of versions")
    elif key in ("max_batch_size", "max_queue_delay_us", "instances"):
        _check(key, value, isinstance(value, int) and not isinstance(value, bool), "a whole number")
    else:
        _check(key, value, isinstance(value, str), "a string")
    return value


NO_SETTINGS = ModelSettings()
