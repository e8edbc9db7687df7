"""Deployment choices as frozen dataclasses; :mod:`ferserve.config_sources` reads them.

Facts about weights are not configuration; they live in :mod:`ferserve.models.spec`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ferserve.config.engine import Device, EngineConfig
from ferserve.config.server import MAX_MESSAGE_BYTES, ServerConfig
from ferserve.config.tls import NO_TLS, SYSTEM_CA, Tls

__all__ = ["MAX_MESSAGE_BYTES", "NO_TLS", "SYSTEM_CA", "Config", "Device", "EngineConfig", "ServerConfig", "Tls"]


@dataclass(frozen=True)
class Config:
    """The whole configuration; ``tls`` is for commands that call a server."""

    engine: EngineConfig = field(default_factory=EngineConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    tls: Tls = field(default_factory=Tls)
