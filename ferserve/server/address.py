"""``HOST:PORT`` of what the server listens on, and what to say where it cannot be had."""

from __future__ import annotations

from ferserve.errors import ConfigError


def host_and_port(host: str, port: int) -> str:
    """``HOST:PORT``, the host in brackets where it is an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_taken(address: str, port_name: str) -> ConfigError:
    """Another one listens there, or ``address`` is none of this machine's; ``port_name`` is the key that set it."""
    return ConfigError(
        f"server.host and server.{port_name} must be a free address of this machine, got {address}; stop what listens "
        "there, or choose another port"
    )
