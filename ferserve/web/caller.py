"""Who asks: the visitor behind a request, as limits and shares count them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from starlette.requests import HTTPConnection

from ferserve.scheduling.caller import Caller
from ferserve.server.callers import network_of

Authenticate: TypeAlias = Callable[[HTTPConnection, str], Caller]
"""Tells who asks by the request and its token, empty without one; raises what refuses the visitor."""


def anyone(request: HTTPConnection, token: str) -> Caller:
    """Every visitor is welcome and counts by address. An :data:`Authenticate`."""
    return Caller(network_of(request.client.host if request.client else ""))


def bearer_token(request: HTTPConnection) -> str:
    """The token in the header ``Authorization: Bearer``, empty without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
