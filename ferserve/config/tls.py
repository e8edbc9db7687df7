"""A client's TLS settings."""

from __future__ import annotations

from dataclasses import dataclass

from ferserve.config.checks import check_needs

SYSTEM_CA = "system"
"""Value of :attr:`Tls.ca` for the authorities that gRPC ships."""


@dataclass(frozen=True)
class Tls:
    """A client's TLS settings: how it verifies the server and identifies itself."""

    ca: str = ""
    """PEM file with the authorities that may sign the server's certificate; ``system`` for those that gRPC ships;
    empty turns TLS off."""
    cert: str = ""
    """PEM file with the client's certificate, for a server with ``tls_client_ca``."""
    key: str = ""
    """PEM file with the private key of ``cert``, without a password."""

    def __post_init__(self) -> None:
        check_needs("tls.cert", self.cert, "tls.key", self.key)
        check_needs("tls.key", self.key, "tls.cert", self.cert)
        check_needs("tls.cert", self.cert, "tls.ca", self.ca)


NO_TLS = Tls()
