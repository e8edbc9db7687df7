"""The gate that every call of every service goes through: who calls, may they, and may they still?"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Set
from typing import Any

from ferserve.auth.authenticator import Authenticator
from ferserve.auth.identity import Identity
from ferserve.config import ServerConfig
from ferserve.errors import AuthenticationError, PermissionDeniedError
from ferserve.server.callers import peer_of
from ferserve.wire.metadata import AUTHORIZATION_KEY

logger = logging.getLogger(__name__)

_LOOK_S = 0.25
"""A revoked token ends the streams that it opened within a second."""
_HEALTH = "/grpc.health.v1.Health/"
"""Probes have no token, and learn nothing else."""


class Gate:
    """Lets calls in under an identity, and ends those whose token is revoked. For the event loop's thread alone."""

    def __init__(
        self, authenticator: Authenticator, config: ServerConfig, admin_methods: Set[str] = frozenset()
    ) -> None:
        """``admin_methods`` are full names, such as ``/grpc.channelz.v1.Channelz/GetServers``, or those of services
        with a slash at both ends. They need the role admin, and ``server.admin``.
        """
        self._authenticator = authenticator
        self._tls = bool(config.tls_cert)
        self._admin_is_on = config.admin
        self._admin_methods = admin_methods
        self._calls: dict[asyncio.Task[Any], Identity] = {}
        self._revoked: set[asyncio.Task[Any]] = set()
        self._watching: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Begin to look whether tokens change."""
        self._watching = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching

    def identify(self, context: Any, method: str) -> Identity:
        """Who makes this call of ``method``.

        Raises :class:`AuthenticationError`, or :class:`PermissionDeniedError` if the caller's role is not enough.
        """
        peer = peer_of(context, tls=self._tls)
        if method.startswith(_HEALTH):
            return Identity(peer.address, "use")
        identity = self._authenticator.authenticate(_authorization(context), peer)
        if self._is_admin(method):
            self._require_admin(identity, method)
        return identity

    def _is_admin(self, method: str) -> bool:
        return method in self._admin_methods or method[: method.rfind("/") + 1] in self._admin_methods

    def _require_admin(self, identity: Identity, method: str) -> None:
        if not self._admin_is_on:
            raise PermissionDeniedError(f"server.admin must be true for {method}, got false; ask the server's operator")
        if identity.role != "admin":
            raise PermissionDeniedError(f"role must be admin for {method}, got {identity.role}; use another token")

    @contextlib.contextmanager
    def hold(self, identity: Identity) -> Iterator[None]:
        """The call of the current task, while inside; raises :class:`AuthenticationError` once its token is revoked."""
        task = asyncio.current_task()
        if not identity.token_id or task is None:
            yield
            return
        self._calls[task] = identity
        try:
            yield
        except asyncio.CancelledError:
            if task not in self._revoked:
                raise
            raise AuthenticationError(
                "authorization must be a token that counts, got one that was revoked meanwhile; get a new one"
            ) from None
        finally:
            del self._calls[task]
            self._revoked.discard(task)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                if await asyncio.to_thread(self._authenticator.refresh):
                    self._end_revoked()
            except Exception:  # the tokens must be watched for as long as the server runs
                logger.exception("cannot look at the tokens; trying again")

    def _end_revoked(self) -> None:
        for task, identity in self._calls.items():
            if task not in self._revoked and not self._authenticator.still_holds(identity):
                logger.info("ending a call of %s: its token was revoked", identity.name)
                self._revoked.add(task)
                task.cancel()


def _authorization(context: Any) -> str | None:
    """The header, or None. Metadata are pairs; values may be bytes if their key says so, which this one does not."""
    for key, value in context.invocation_metadata() or ():
        if key == AUTHORIZATION_KEY:
            return str(value)
    return None
