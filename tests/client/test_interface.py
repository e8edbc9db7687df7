"""The three clients have one interface, documented in full, and nothing else in public."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest

import ferserve
from ferserve.client.connection import ConnectionSettings

METHODS = ("classify", "stream", "models", "model", "close")
CLIENTS = (ferserve.Client, ferserve.AsyncClient, ferserve.LocalClient)


def _parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def _section(function: Callable[..., Any], title: str) -> str:
    """A section of a docstring; the server of one client is the engine of another."""
    text = inspect.getdoc(function) or ""
    found = re.search(rf"^{title}:\n((?: .*\n?)+)", text, re.MULTILINE)
    return found[1].replace("server's", "engine's").strip() if found else ""


@pytest.mark.parametrize("method", ["__init__", *METHODS])
def test_the_blocking_and_the_asynchronous_client_agree(method: str) -> None:
    blocking, asynchronous = getattr(ferserve.Client, method), getattr(ferserve.AsyncClient, method)
    assert _parameters(blocking) == _parameters(asynchronous)
    for title in ("Args", "Returns", "Yields", "Raises"):
        assert _section(blocking, title) == _section(asynchronous, title)


@pytest.mark.parametrize("method", ["classify", "stream", "close"])
def test_the_local_client_agrees_with_them(method: str) -> None:
    local, blocking = getattr(ferserve.LocalClient, method), getattr(ferserve.Client, method)
    assert _parameters(local) == _parameters(blocking)
    for title in ("Args", "Returns", "Yields"):
        assert _section(local, title) == _section(blocking, title)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("method", ["__init__", *METHODS])
def test_every_argument_is_documented_and_every_type_resolves(client: type, method: str) -> None:
    function = getattr(client, method)
    names = [name for name, _, _ in _parameters(function) if name != "self"]
    assert re.findall(r"^ {4}(\w+): ", f"    {_section(function, 'Args')}", re.MULTILINE) == names
    get_type_hints(function)


@pytest.mark.parametrize("client", CLIENTS)
def test_nothing_else_is_public(client: type) -> None:
    assert {name for name in dir(client) if not name.startswith("_")} == set(METHODS)


async def test_an_open_client_shows_its_target_and_no_internals(address: str) -> None:
    async with ferserve.AsyncClient(address) as asynchronous:
        assert {name for name in dir(asynchronous) if not name.startswith("_")} == {*METHODS, "target"}
        assert asynchronous.target == address


def test_the_constructors_have_the_defaults_of_the_connection() -> None:
    defaults = {name: p.default for name, p in inspect.signature(ConnectionSettings).parameters.items()}
    given = inspect.signature(ferserve.Client).parameters
    assert {name: p.default for name, p in given.items()} == defaults
