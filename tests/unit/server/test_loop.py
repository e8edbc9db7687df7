"""The choice of the event loop."""

from __future__ import annotations

import asyncio
import importlib.util

import pytest

from ferserve.errors import ConfigError
from ferserve.server.loop import run_in_loop


def module_of_loop(kind: str) -> str:
    seen: list[str] = []

    async def look() -> None:
        seen.append(type(asyncio.get_running_loop()).__module__)

    run_in_loop(look(), kind)
    return seen[0].partition(".")[0]


def test_asyncio_is_always_there() -> None:
    assert module_of_loop("asyncio") == "asyncio"


def test_auto_takes_uvloop_if_it_is_installed() -> None:
    expected = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    assert module_of_loop("auto") == expected


def test_uvloop_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    async def never() -> None:
        raise AssertionError

    main = never()
    with pytest.raises(ConfigError, match=r"server\.loop must be an installed one, got 'uvloop'"):
        run_in_loop(main, "uvloop")
    main.close()
