"""TLS of the page: the certificates of the gRPC port, read again when they change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

from ferserve.config import ServerConfig
from ferserve.errors import ConfigError
from ferserve.wire.tls import server_credentials

logger = logging.getLogger(__name__)


def server_context(config: ServerConfig) -> ssl.SSLContext | None:
    """The TLS settings of ``config``; None if it names no certificate. Raises :class:`ConfigError`.

    If a changed file has the wrong content, a warning is logged and the old certificates stay in force.
    """
    return _Certificates(config).context if config.tls_cert else None


class _Certificates:
    """The PEM files of a server, looked at when a client begins a handshake."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._stamps = self._now()
        self.context = self._read()

    def _read(self) -> ssl.SSLContext:
        server_credentials(self._config)  # its errors name the settings
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._config.tls_cert, self._config.tls_key, password="")
        if self._config.tls_client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self._config.tls_client_ca)
        context.sni_callback = self._on_hello
        return context

    def _on_hello(self, connection: Any, name: str | None, context: ssl.SSLContext) -> None:
        stamps = self._now()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self.context = self._read()
            except ConfigError as error:
                logger.warning("cannot renew the page's certificates, the old ones stay in force: %s", error)
        connection.context = self.context

    def _now(self) -> list[tuple[int, int] | None]:
        config = self._config
        return [_stamp(Path(path)) for path in (config.tls_cert, config.tls_key, config.tls_client_ca) if path]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
