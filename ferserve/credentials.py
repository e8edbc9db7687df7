"""PEM files to gRPC's credentials, for both ends of a connection."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from ferserve.config import SYSTEM_CA, ServerConfig, Tls
from ferserve.errors import ConfigError


def server_credentials(config: ServerConfig) -> grpc.ServerCredentials | None:
    """What clients are shown and asked for; None where the configuration names no certificate.

    Raises :class:`ConfigError` for a file that cannot be read, or is not what it should be.
    """
    if not config.tls_cert:
        return None
    identity = _identity("server.tls_cert", config.tls_cert, "server.tls_key", config.tls_key)
    clients = _authorities("server.tls_client_ca", config.tls_client_ca) if config.tls_client_ca else None
    return grpc.ssl_server_credentials([identity], clients, require_client_auth=clients is not None)


def channel_credentials(tls: Tls) -> grpc.ChannelCredentials | None:
    """What a server is shown and asked for; None where ``tls`` names no authority. Raises as the above does."""
    if not tls.ca:
        return None
    servers = None if tls.ca == SYSTEM_CA else _authorities("tls.ca", tls.ca)
    key, cert = _identity("tls.cert", tls.cert, "tls.key", tls.key) if tls.cert else (None, None)
    return grpc.ssl_channel_credentials(servers, key, cert)


def _identity(cert_name: str, cert: str, key_name: str, key: str) -> tuple[bytes, bytes]:
    """Key and certificate. gRPC takes anything here and fails at the first handshake, so OpenSSL looks before."""
    pair = _read(key_name, key), _read(cert_name, cert)
    try:
        # Without an answer OpenSSL would ask the terminal for the password of a key that has one.
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
