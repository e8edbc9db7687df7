"""Whether calls are traced, without a look at OpenTelemetry unless they are."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from ferserve.config import ServerConfig
from ferserve.errors import ConfigError

if TYPE_CHECKING:
    from ferserve.server.telemetry.traces import CallTrace, Tracing

logger = logging.getLogger(__name__)

CALL_TRACE: Final[ContextVar[CallTrace | None]] = ContextVar("call_trace", default=None)
"""The trace of the call that the current task answers; None if it is not traced."""

_INSTALL = "`pip install ferserve[otel]`"
GRPC, HTTP = "grpc", "http/protobuf"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def otlp_protocol(env: Mapping[str, str]) -> str:
    """How spans travel; raises :class:`ConfigError` for a way that neither we nor the SDK know."""
    name = next((name for name in _PROTOCOLS if env.get(name)), "")
    protocol = env.get(name, GRPC)
    if protocol not in (GRPC, HTTP):
        raise ConfigError(f"{name} must be {GRPC} or {HTTP}, got {protocol!r}; leave it out for {GRPC}")
    return protocol


def tracing_for(config: ServerConfig, env: Mapping[str, str] | None = None) -> Tracing | None:
    """What traces calls; None if nothing says where traces go, or OpenTelemetry's own variables turn them off.

    Raises :class:`ConfigError` if ``otlp_endpoint`` is set and OpenTelemetry is not installed, or a variable asks for
    an unknown protocol.
    """
    env = os.environ if env is None else env
    asked = (
        config.otlp_endpoint or env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or env.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    off = env.get("OTEL_SDK_DISABLED", "").lower() == "true" or env.get("OTEL_TRACES_EXPORTER") == "none"
    if not asked or off:
        return None
    otlp_protocol(env)
    try:
        from ferserve.server.telemetry.traces import open_tracing

        return open_tracing(config)
    except ImportError as error:
        if config.otlp_endpoint:
            raise ConfigError(f"server.otlp_endpoint needs OpenTelemetry ({error}); {_INSTALL}") from None
        logger.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set, but traces need OpenTelemetry (%s); %s", error, _INSTALL)
        return None
