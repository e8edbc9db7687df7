"""gRPC credentials from PEM files, for both ends of a connection."""

from __future__ import annotations

import logging
import ssl
import time
from pathlib import Path

import grpc

from ferserve.config import SYSTEM_CA, ServerConfig, Tls
from ferserve.errors import ConfigError
from ferserve.wire.certificates import validity_note
from ferserve.wire.files import Stamp, stamp

logger = logging.getLogger(__name__)


def server_credentials(config: ServerConfig) -> grpc.ServerCredentials | None:
    """The server's certificate and the authorities that it trusts; None if the configuration names no certificate.

    Files that change are read again at the next handshake. Raises :class:`ConfigError` for a file that cannot be read
    or has the wrong content. If a changed file does, a warning is logged and the old certificates stay in force.
    """
    if not config.tls_cert:
        return None
    files = _CertificateFiles(config)
    return grpc.dynamic_ssl_server_credentials(files.read(), files.read_if_changed, bool(config.tls_client_ca))


class _CertificateFiles:
    """The PEM files of a server. gRPC asks for changes at each handshake, from any of its threads."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._paths = [Path(path) for path in (config.tls_cert, config.tls_key, config.tls_client_ca) if path]
        self._stamps = self._now()

    def read(self) -> grpc.ServerCertificateConfiguration:
        config = self._config
        identity = _identity("server.tls_cert", config.tls_cert, "server.tls_key", config.tls_key)
        if note := validity_note(identity[1], time.time()):
            logger.warning("server.tls_cert %s %s; clients refuse it, renew it", config.tls_cert, note)
        clients = _authorities("server.tls_client_ca", config.tls_client_ca) if config.tls_client_ca else None
        return grpc.ssl_server_certificate_configuration([identity], clients)

    def read_if_changed(self) -> grpc.ServerCertificateConfiguration | None:
        stamps = self._now()
        if stamps == self._stamps:
            return None
        self._stamps = stamps
        try:
            return self.read()
        except ConfigError as error:  # also between two writes of one renewal: the new certificate with the old key
            logger.warning("cannot renew the certificates, the old ones stay in force: %s", error)
            return None

    def _now(self) -> list[Stamp | None]:
        return [stamp(path) for path in self._paths]


def channel_credentials(tls: Tls) -> grpc.ChannelCredentials | None:
    """The client's certificate and the authorities that it trusts; None if ``tls`` names no authority.

    Raises :class:`ConfigError` for a file that cannot be read or has the wrong content.
    """
    return grpc.ssl_channel_credentials(*_channel_files(tls)) if tls.ca else None


def check_files(tls: Tls) -> None:
    """Raise as :func:`channel_credentials` does, without gRPC, whose threads would not survive a fork."""
    if tls.ca:
        _channel_files(tls)


def _channel_files(tls: Tls) -> tuple[bytes | None, bytes | None, bytes | None]:
    """The authorities, the key and the certificate."""
    servers = None if tls.ca == SYSTEM_CA else _authorities("tls.ca", tls.ca)
    return (servers, *(_identity("tls.cert", tls.cert, "tls.key", tls.key) if tls.cert else (None, None)))


def _identity(cert_name: str, cert: str, key_name: str, key: str) -> tuple[bytes, bytes]:
    """Key and certificate, as OpenSSL reads them: gRPC would take any bytes and fail at the first handshake."""
    pair = _read(key_name, key), _read(cert_name, cert)
    try:
        # Without `password` OpenSSL would ask the terminal for that of an encrypted key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"{cert_name} and {key_name} must be a certificate and its private key, both PEM and without a password, "
            f"got {cert} and {key}: {error}"
        ) from None
    return pair


def _authorities(name: str, path: str) -> bytes:
    pem = _read(name, path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ConfigError(f"{name} must be PEM with certificates, got {path}: {error}") from None
    return pem


def _read(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{name} must be a file that can be read, got {path}: {error.strerror}") from None
