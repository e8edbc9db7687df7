"""Commands whose help shows no type for flags without a value, and knows ``-h``."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

CONTEXT = {"help_option_names": ["-h", "--help"]}
"""Settings of every command."""


class Command(TyperCommand):
    """A command; Typer's own would show ``<bool>`` or ``<int>`` behind flags without a value."""

    def get_params(self, ctx: Any) -> Any:
        """See :class:`TyperCommand`."""
        return _without_types(super().get_params(ctx))


class Group(TyperGroup):
    """A group of commands; see :class:`Command`."""

    def get_params(self, ctx: Any) -> Any:
        """See :class:`TyperGroup`."""
        return _without_types(super().get_params(ctx))


def _without_types(params: Any) -> Any:
    for param in params:
        takes_value = not (getattr(param, "is_flag", False) or getattr(param, "count", False))
        if not takes_value and param.metavar is None:
            param.metavar = ""
    return params
