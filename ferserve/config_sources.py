"""The sources of the configuration.

Later beats earlier: defaults < TOML file < ``FERSERVE_*`` environment < flags. Unknown keys are errors that name the
nearest valid key, and every error says where its value came from.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import os
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_origin

from ferserve.config import Config
from ferserve.errors import ConfigError
from ferserve.toml_lines import key_lines, pair_at

DEFAULT = "default"
_SWITCHES = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}
"""What the environment may say of a setting that is true or false."""
_LINE = re.compile(r"line (\d+)")


@dataclass(frozen=True)
class Given:
    """A value that a source gives to a setting."""

    value: Any
    source: str
    """``FILE:LINE``, ``environment`` or ``flags``."""


@dataclass
class Reading:
    """What the sources say, and what is wrong with it."""

    given: dict[str, dict[str, Given]] = field(default_factory=lambda: {name: {} for name in section_types()})
    """By section and key; the last source that names a setting."""
    problems: list[str] = field(default_factory=list)
    """One line each: the place, the key, what was expected, and the nearest valid key if that one is unknown."""
    config: Config = field(default_factory=Config)
    """The configuration, without the values that have problems."""


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
    reading = read_config(path, env, flags)
    if reading.problems:
        raise ConfigError(reading.problems[0])
    return reading.config


def read_config(
    path: Path | None = None,
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, Mapping[str, Any]] | None = None,
) -> Reading:
    """As :func:`load_config`, with all problems. Raises :class:`ConfigError` for a file that cannot be read."""
    reading = Reading()
    for values, place in (
        _from_toml(path),
        (_from_env(os.environ if env is None else env), lambda _: "environment"),
        (flags or {}, lambda _: "flags"),
    ):
        _take(reading, values, place)
    reading.config = Config(**{name: _made(name, kind, reading) for name, kind in section_types().items()})
    return reading


def section_types() -> dict[str, type[Any]]:
    """The dataclass of each section."""
    return typing.get_type_hints(Config)


Place = Callable[[tuple[str, ...]], str]


def _take(reading: Reading, values: Mapping[str, Any], place: Place) -> None:
    for section, pairs in values.items():
        where = place((section,))
        try:
            _require_section(section, where)
            if not isinstance(pairs, Mapping):
                raise ConfigError(f"{where}: {section} must be a table of settings, got {pairs!r}")
        except ConfigError as error:
            reading.problems.append(str(error))
            continue
        for key, value in pairs.items():
            if value is None:
                continue
            where = place((section, key))
            try:
                reading.given[section][key] = Given(_typed(section, key, value, where), where)
            except ConfigError as error:
                reading.problems.append(str(error))


def _made(section: str, kind: type[Any], reading: Reading) -> Any:
    """The section; a value that it refuses is noted and left out, until it refuses none.

    Of settings that need each other one problem is enough, so those that only miss a value left out are not noted.
    """
    given = dict(reading.given[section])
    refused: set[str] = set()
    while (error := _refusal(kind, given)) is not None:
        named = re.findall(rf"{section}\.(\w+)", error)
        culprit = next((key for key in named if key in given), next(iter(given)))
        if not refused.intersection(named):
            reading.problems.append(f"{given[culprit].source}: {error}")
        refused.update(named)
        del given[culprit]
    return kind(**{key: each.value for key, each in given.items()})


def _refusal(kind: type[Any], given: Mapping[str, Given]) -> str | None:
    try:
        kind(**{key: each.value for key, each in given.items()})
    except ConfigError as error:
        return str(error)
    return None


def _from_toml(path: Path | None) -> tuple[Mapping[str, Any], Place]:
    if path is None:
        return {}, str
    parse = toml_parser()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"config file must be readable, got {error}") from None
    text = content.decode("utf-8", "replace")
    try:
        values = parse(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: config file must be TOML in UTF-8, got other bytes") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(_syntax_problem(path, text, str(error))) from None
    lines = key_lines(text)
    return values, lambda key: f"{path}:{lines.get(key) or lines.get(key[:1], 1)}"


def _syntax_problem(path: Path, text: str, error: str) -> str:
    """What is no TOML. The parser says where, but not which setting."""
    found = _LINE.search(error)
    line = int(found[1]) if found else max(len(text.splitlines()), 1)
    key, value = pair_at(text, line)
    if not key:
        return f"{path}:{line}: config file must be TOML, got {error}"
    return f"{path}:{line}: {'.'.join(key)} must be a TOML value, with text in quotes, given once, got {value}: {error}"


def toml_parser() -> Callable[[str], dict[str, Any]]:
    """Python 3.10 has no TOML parser, and one reader is not worth a tenth dependency."""
    for name in ("tomllib", "tomli"):
        try:
            parse: Callable[[str], dict[str, Any]] = importlib.import_module(name).loads
        except ImportError:
            continue
        return parse
    raise ConfigError("a config file needs Python 3.11 or newer, or `pip install tomli`")


def _from_env(env: Mapping[str, str]) -> Mapping[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for section in section_types():
        prefix = f"FERSERVE_{section.upper()}_"
        for name, value in env.items():
            if name.startswith(prefix):
                found.setdefault(section, {})[name.removeprefix(prefix).lower()] = value
    return found


def _require_section(name: str, where: str) -> None:
    if name not in section_types():
        near = _owner(name) or _nearest(name, section_types())
        raise ConfigError(f"{where}: section {name!r} is unknown; the nearest valid one is {near!r}")


def _require_setting(section: str, key: str, where: str) -> None:
    fields = {field.name: field for field in dataclasses.fields(section_types()[section])}
    if key in fields:
        return
    near: str = _owner(key) or _nearest(key, fields)
    owner, _, name = near.rpartition(".")
    default = next(f.default for f in dataclasses.fields(section_types()[owner or section]) if f.name == name)
    raise ConfigError(
        f"{where}: {section} setting {key!r} is unknown; the nearest valid one is {near!r}, by default {default!r}"
    )


def _owner(key: str) -> str:
    """The full name of a setting that another section has; empty if none does."""
    owners = (name for name, kind in section_types().items() if key in typing.get_type_hints(kind))
    return next((f"{name}.{key}" for name in owners), "")


def _nearest(key: str, known: Iterable[str]) -> str:
    return difflib.get_close_matches(key, list(known), n=1, cutoff=0)[0]


def _typed(section: str, key: str, value: Any, where: str) -> Any:
    """``value`` converted to the type of the field; text is parsed, because the environment has only text."""
    _require_setting(section, key, where)
    wanted = typing.get_type_hints(section_types()[section])[key]
    wanted = str if get_origin(wanted) is Literal else wanted  # the dataclass checks the choice
    if wanted is bool:
        return _switch(value, f"{where}: {section}.{key}")
    try:
        if isinstance(value, wanted) and not isinstance(value, bool):
            return value
        if isinstance(value, str) or (wanted is float and isinstance(value, int) and not isinstance(value, bool)):
            return wanted(value)
    except (ValueError, OverflowError):
        pass
    raise ConfigError(f"{where}: {section}.{key} must be {wanted.__name__}, got {value!r}")


def _switch(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    switch = _SWITCHES.get(value.lower()) if isinstance(value, str) else None
    if switch is None:
        raise ConfigError(f"{name} must be true or false, got {value!r}")
    return switch


def effective(reading: Reading) -> Iterator[tuple[str, Any, str]]:
    """Name, value and source of every setting that counts."""
    for section in section_types():
        for key, value in dataclasses.asdict(getattr(reading.config, section)).items():
            given = reading.given[section].get(key)
            yield f"{section}.{key}", value, given.source if given else DEFAULT
