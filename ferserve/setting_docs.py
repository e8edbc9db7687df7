"""What the settings' dataclasses say of each setting, for pages and files that are made from it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import json
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ferserve.config import Config


@dataclass(frozen=True)
class Setting:
    """One setting."""

    section: str
    key: str
    type: str
    """``text``, ``whole number``, ``number``, or ``true or false``."""
    default: str
    """As TOML writes it."""
    text: str
    """What it means, one line of Markdown."""

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"FERSERVE_{self.section}_{self.key}".upper()


def settings() -> Iterator[Setting]:
    """All settings, section by section, in the order of their definition."""
    for section, kind in typing.get_type_hints(Config).items():
        texts = _docstrings(kind)
        types = typing.get_type_hints(kind)
        for each in dataclasses.fields(kind):
            yield Setting(section, each.name, _type_name(types[each.name]), _toml(each.default), texts[each.name])


def _docstrings(kind: type[Any]) -> dict[str, str]:
    """The text below each field."""
    body = typing.cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]).body
    texts = {}
    for field, text in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(field.target, ast.Name):
            value = typing.cast("ast.Constant", text.value).value
            texts[field.target.id] = " ".join(str(value).replace("``", "`").split())
    return texts


def _type_name(kind: Any) -> str:
    names = {int: "whole number", float: "number", bool: "true or false"}
    return names.get(kind, "text")


def _toml(value: Any) -> str:
    return json.dumps(value)


def commented_file() -> str:
    """A configuration file in which every setting stands at its default, commented out."""
    lines = ["# Settings of ferserve. Take the # from what you change; `ferserve config check FILE` checks it.", ""]
    section = ""
    for setting in settings():
        if setting.section != section:
            section = setting.section
            lines += [f"[{section}]", ""]
        lines += textwrap.wrap(setting.text, 118, initial_indent="# ", subsequent_indent="# ")
        lines += [f"# {setting.key} = {setting.default}", ""]
    return "\n".join(lines)
