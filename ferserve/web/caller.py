"""Who asks: the visitor behind a request, as limits and shares count them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from starlette.requests import HTTPConnection

from ferserve.addresses import is_loopback
from ferserve.auth.authenticator import Authenticator
from ferserve.auth.identity import Peer
from ferserve.config import ServerConfig
from ferserve.scheduling.caller import Caller
from ferserve.server.callers import network_of

Authenticate: TypeAlias = Callable[[HTTPConnection, str], Caller]
"""Tells who asks by the request and its token, empty without one; raises what refuses the visitor."""


class Visitors:
    """Knows visitors by the tokens of the gRPC port, else by their address. An :data:`Authenticate`.

    A certificate that ``tls_client_ca`` asks for is checked in the handshake; its name does not come through.
    """

    def __init__(self, config: ServerConfig) -> None:
        """Raises :class:`ferserve.errors.ConfigError` if the token file cannot be read."""
        self._tokens = Authenticator(config)
        self._tls = bool(config.tls_cert)

    def __call__(self, request: HTTPConnection, token: str) -> Caller:
        """Who asks; raises :class:`ferserve.errors.AuthenticationError`."""
        self._tokens.refresh()
        host = request.client.host if request.client else ""
        peer = Peer(network_of(host), private=self._tls or is_loopback(host))
        identity = self._tokens.authenticate(f"Bearer {token}" if token else None, peer)
        trusted = identity.role == "admin" and identity.authenticated
        return Caller(identity.name, trusted=trusted, authenticated=identity.authenticated)


def bearer_token(request: HTTPConnection) -> str:
    """The token in the header ``Authorization: Bearer``, empty without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
