"""The choice of event loop."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Coroutine
from typing import Any

from ferserve.errors import ConfigError


def run_in_loop(main: Coroutine[Any, Any, None], kind: str) -> None:
    """``asyncio.run`` in a loop of ``kind``: asyncio, uvloop, or auto, which is uvloop if it is installed.

    Raises :class:`ConfigError` if uvloop is asked for and missing.
    """
    policy = _uvloop(kind)
    if policy is None:
        asyncio.run(main)
    elif sys.version_info >= (3, 11):
        with asyncio.Runner(loop_factory=policy.new_event_loop) as runner:
            runner.run(main)
    else:
        asyncio.set_event_loop_policy(policy.EventLoopPolicy())
        asyncio.run(main)


def _uvloop(kind: str) -> Any:
    """The module; None for asyncio's own loop."""
    if kind == "asyncio":
        return None
    if importlib.util.find_spec("uvloop") is not None:
        return importlib.import_module("uvloop")
    if kind == "uvloop":
        raise ConfigError("server.loop must be an installed one, got 'uvloop'; `pip install ferserve[fast]`")
    return None
