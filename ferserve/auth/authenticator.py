"""From what a client shows to an identity, for every door of a server."""

from __future__ import annotations

import logging
from typing import Final

from ferserve.auth.identity import Identity, Peer, Role
from ferserve.auth.token import NOBODY, Token, is_secret_of, split
from ferserve.auth.token_file import read_tokens
from ferserve.config import ServerConfig
from ferserve.errors import AuthenticationError, ConfigError
from ferserve.wire.files import Stamp, stamp

logger = logging.getLogger(__name__)

_SCHEME: Final = "bearer"
_WAY_OUT = "set FERSERVE_TOKEN, or the client's token, to one that the server's operator gave you"


class Authenticator:
    """Knows the tokens of ``server.token_file`` and the roles of certificates. Any thread may use it."""

    def __init__(self, config: ServerConfig) -> None:
        """Reads the token file; raises :class:`ConfigError` as :func:`read_tokens` does."""
        self._path = config.token_file
        self._admins = frozenset(name.strip() for name in config.admin_certificates.split(",")) - {""}
        self._needs_certificate = bool(config.tls_client_ca)
        self._stamp = self._now()
        self._tokens = read_tokens(self._path) if self._path else {}

    @property
    def is_open(self) -> bool:
        """Whether whoever reaches the server may use all of it."""
        return not (self._path or self._needs_certificate)

    def authenticate(self, authorization: str | None, peer: Peer) -> Identity:
        """The identity of a caller.

        Args:
            authorization: The value of the header ``authorization``, such as ``Bearer ferserve_...``; None if the
                caller sent none.
            peer: The other end of the connection.

        Raises:
            AuthenticationError: The caller must show a token and does not, or a wrong one, or shows it to all the
                network.
        """
        if self._path and authorization is not None:
            return self._by_token(authorization, peer)
        if peer.certificate_names:
            role: Role = "admin" if self._admins.intersection(peer.certificate_names) else "use"
            return Identity(f"certificate {' '.join(peer.certificate_names)}", role, authenticated=True)
        if self._path:
            raise AuthenticationError(f"authorization must be a token of this server, got none; {_WAY_OUT}")
        return Identity(peer.address, "admin" if self.is_open else "use")

    def _by_token(self, authorization: str, peer: Peer) -> Identity:
        if not peer.private:
            raise AuthenticationError(
                "authorization must come by TLS, or from the server's own machine, got it in plain text; "
                "set tls.ca, and have the token revoked, since others may have read it"
            )
        scheme, _, text = authorization.partition(" ")
        token_id, secret = (split(text.strip()) if scheme.lower() == _SCHEME else None) or ("", "")
        token = self._tokens.get(token_id)
        if not is_secret_of(secret, token.sha256 if token else NOBODY) or token is None:
            raise AuthenticationError(f"authorization must be a token of this server, got another; {_WAY_OUT}")
        return Identity(f"token {token.name}", token.role, authenticated=True, token_id=token.id)

    def still_holds(self, identity: Identity) -> bool:
        """Whether what vouched for ``identity`` still does: its token is not revoked and has the same role."""
        if not identity.token_id:
            return True
        token = self._tokens.get(identity.token_id)
        return token is not None and token.role == identity.role

    def refresh(self) -> bool:
        """Read the file again if it changed; returns whether other tokens count now.

        A file that cannot be used changes nothing, and the log says so, once per change.
        """
        if not self._path or (now := self._now()) == self._stamp:
            return False
        self._stamp = now
        before: dict[str, Token] = self._tokens
        try:
            self._tokens = read_tokens(self._path)
        except ConfigError as error:
            logger.warning("cannot read the tokens again, the old ones stay in force: %s", error)
            return False
        logger.info("read %s again: %d tokens", self._path, len(self._tokens))
        return before != self._tokens

    def _now(self) -> Stamp | None:
        return stamp(self._path) if self._path else None
