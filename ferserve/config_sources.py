"""The sources of the configuration.

Later beats earlier: defaults < TOML file < ``FERSERVE_*`` environment < flags. Unknown keys are errors that name the
nearest valid key.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import os
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_origin

from ferserve.config import Config
from ferserve.errors import ConfigError

_SWITCHES = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}
"""What the environment may say of a setting that is true or false."""


def load_config(
    path: Path | None = None,
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, Mapping[str, Any]] | None = None,
) -> Config:
    """Read the configuration from its four sources.

    ``path`` is a TOML file with the tables ``[engine]``, ``[server]`` and ``[tls]``; ``env`` is searched for
    ``FERSERVE_<SECTION>_<KEY>``, such as ``FERSERVE_SERVER_PORT``; ``flags`` maps section to key to value, None for
    an absent flag. Raises :class:`ConfigError` that names the key, its source, and the nearest valid key.
    """
    sections: dict[str, dict[str, Any]] = {f.name: {} for f in dataclasses.fields(Config)}
    for source, values in (
        (str(path), _from_toml(path)),
        ("environment", _from_env(os.environ if env is None else env, sections)),
        ("flags", flags or {}),
    ):
        for section, pairs in values.items():
            _require_known(section, sections, f"{source}: section")
            if not isinstance(pairs, Mapping):
                raise ConfigError(f"{source}: {section} must be a table of settings, got {pairs!r}")
            for key, value in pairs.items():
                if value is not None:
                    sections[section][key] = _typed(_section_type(section), section, key, value, source)
    return Config(**{name: _section_type(name)(**values) for name, values in sections.items()})


def _section_type(section: str) -> type[Any]:
    kind: type[Any] = typing.get_type_hints(Config)[section]
    return kind


def _from_toml(path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    parse = _toml_parser()
    try:
        return parse(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"config file must be readable, got {error}") from None
    except ValueError as error:
        raise ConfigError(f"config file {path} must be TOML, got {error}") from None


def _toml_parser() -> Callable[[str], dict[str, Any]]:
    """Python 3.10 has no TOML parser, and one reader is not worth a tenth dependency."""
    for name in ("tomllib", "tomli"):
        try:
            parse: Callable[[str], dict[str, Any]] = importlib.import_module(name).loads
        except ImportError:
            continue
        return parse
    raise ConfigError("a config file needs Python 3.11 or newer, or `pip install tomli`")


def _from_env(env: Mapping[str, str], sections: Mapping[str, Any]) -> Mapping[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for section in sections:
        prefix = f"FERSERVE_{section.upper()}_"
        for name, value in env.items():
            if name.startswith(prefix):
                found.setdefault(section, {})[name.removeprefix(prefix).lower()] = value
    return found


def _require_known(key: str, known: Mapping[str, Any], what: str) -> None:
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0)
        raise ConfigError(f"{what} {key!r} is unknown; the nearest valid one is {near[0]!r}")


def _typed(kind: type[Any], section: str, key: str, value: Any, source: str) -> Any:
    """``value`` converted to the type of the field; text is parsed, because the environment has only text."""
    fields = typing.get_type_hints(kind)
    _require_known(key, fields, f"{source}: {section} setting")
    wanted = fields[key]
    wanted = str if get_origin(wanted) is Literal else wanted  # the dataclass checks the choice
    if wanted is bool:
        return _switch(value, f"{source}: {section}.{key}")
    try:
        if isinstance(value, wanted) and not isinstance(value, bool):
            return value
        if isinstance(value, str) or (wanted is float and isinstance(value, int) and not isinstance(value, bool)):
            return wanted(value)
    except (ValueError, OverflowError):
        pass
    raise ConfigError(f"{source}: {section}.{key} must be {wanted.__name__}, got {value!r}")


def _switch(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    switch = _SWITCHES.get(value.lower()) if isinstance(value, str) else None
    if switch is None:
        raise ConfigError(f"{name} must be true or false, got {value!r}")
    return switch
