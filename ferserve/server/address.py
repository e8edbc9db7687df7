"""Addresses that a server listens on."""

from __future__ import annotations

import socket

import grpc

from ferserve.config import ServerConfig
from ferserve.errors import ConfigError

_UNIX = "unix:"


def host_and_port(host: str, port: int) -> str:
    """``HOST:PORT``; an IPv6 host gets brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_taken(address: str, port_name: str) -> ConfigError:
    """The error of an address that is in use or not this machine's; ``port_name`` is the key that set its port."""
    return ConfigError(
        f"server.host and server.{port_name} must be a free address of this machine, got {address}; stop what listens "
        "there, or choose another port"
    )


def listen_as_worker(
    server: grpc.aio.Server, config: ServerConfig, worker: int, credentials: grpc.ServerCredentials | None
) -> set[int]:
    """Let ``server`` listen on the port of that worker alone, if there is one; returns it. Raises as :func:`listen`."""
    if not config.worker_ports:
        return set()
    return {bind(server, host_and_port(config.host, config.worker_ports + worker), credentials, "worker_ports")}


def listen(server: grpc.aio.Server, config: ServerConfig, credentials: grpc.ServerCredentials | None) -> str:
    """Let ``server`` listen on its configured address; returns it, with the port that the system chose for port 0.

    Raises :class:`ConfigError` if the address is taken or not this machine's.
    """
    if config.uds:
        _require_no_listener(config.uds)
        bind(server, _UNIX + config.uds, credentials)
        return _UNIX + config.uds
    port = bind(server, host_and_port(config.host, config.port), credentials)
    return host_and_port(config.host, port)


def bind(
    server: grpc.aio.Server,
    address: str,
    credentials: grpc.ServerCredentials | None = None,
    port_name: str = "port",
) -> int:
    """Let ``server`` listen on ``address``; returns the port. Raises :class:`ConfigError` that names ``port_name``."""
    try:
        if credentials:
            return int(server.add_secure_port(address, credentials))
        return int(server.add_insecure_port(address))
    except RuntimeError:
        if address.startswith(_UNIX):
            raise ConfigError(
                "server.uds must be a new path of at most 107 bytes in a folder that can be written to, got "
                f"{address.removeprefix(_UNIX)}"
            ) from None
        raise address_taken(address, port_name) from None


def _require_no_listener(path: str) -> None:
    """gRPC would silently take over the socket of a running server; a socket without a listener may be replaced."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    raise ConfigError(f"server.uds must be a path that no server listens on, got {path}; stop it, or choose another")
