"""Fixtures of the page's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.web import WebServer
from tests.web.serving import running


@pytest.fixture(scope="module")
def page(engine: Engine) -> Iterator[str]:
    """The address of a page with the default limits."""
    with running(WebServer(engine, ServerConfig(), 0)) as address:
        yield address
