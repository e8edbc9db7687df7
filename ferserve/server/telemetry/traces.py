"""Traces by OpenTelemetry: one span per call, with events for some frames of it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import propagate
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from ferserve._version import __version__
from ferserve.config import ServerConfig
from ferserve.server.tracing import HTTP, otlp_protocol
from ferserve.types import FrameResult

logger = logging.getLogger(__name__)

_GOODBYE_S = 1.0
"""Longest time in which a server that stops sends its last spans."""
_OWN_FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
"""Statuses that count as errors of a server, by OpenTelemetry's conventions for gRPC."""


class CallTrace:
    """The span of one call that is sampled; for the event loop's thread alone."""

    def __init__(self, span: Span, every: int) -> None:
        self._span = span
        self._every = every
        self._frames = 0

    def frame(self, result: FrameResult) -> None:
        """Note the outcome and the times of the first frame, and of every so many after it; no result."""
        self._frames += 1
        if (self._frames - 1) % self._every:
            return
        attributes: dict[str, Any] = {
            "frame_id": result.frame_id,
            "faces": len(result.faces),
            "outcome": _outcome(result),
        }
        for name in ("queue_ms", "decode_ms", "detect_ms", "preprocess_ms", "infer_ms", "total_ms"):
            attributes[name] = getattr(result.timings, name)
        self._span.add_event("frame", attributes)

    def end(self, status: str) -> None:
        """End the span with the name of the call's status."""
        self._span.set_attribute("rpc.response.status_code", status)
        self._span.set_attribute("ferserve.frames", self._frames)
        if status in _OWN_FAULTS:
            self._span.set_status(Status(StatusCode.ERROR, status))
        self._span.end()


class Tracing:
    """Begins spans and sends them. A :class:`ferserve.server.lifecycle.Startable`, which flushes at the end."""

    def __init__(self, provider: TracerProvider, frames: int) -> None:
        """Every ``frames``-th frame of a call becomes an event."""
        self._provider = provider
        self._tracer: Tracer = provider.get_tracer("ferserve", __version__)
        self._frames = frames

    def begin(self, method: str, metadata: Sequence[tuple[str, Any]], request_id: str) -> CallTrace | None:
        """The trace of a call, in that of its caller if the metadata name one (W3C); None if it is not sampled."""
        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        service, _, name = method.strip("/").rpartition("/")
        attributes: Mapping[str, str] = {
            "rpc.system.name": "grpc",
            "rpc.service": service,
            "rpc.method": name,
            "ferserve.request_id": request_id,
        }
        context = propagate.extract(carrier)
        span = self._tracer.start_span(method.strip("/"), context, SpanKind.SERVER, attributes)
        return CallTrace(span, self._frames) if span.is_recording() else None

    async def start(self) -> str:
        """See :meth:`ferserve.server.lifecycle.Startable.start`; there is no address."""
        return ""

    async def stop(self, grace_s: float | None = None) -> None:
        """Send what is left. A collector that does not answer gets a second; no thread that waits for it is kept."""
        done = threading.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            done.set()

        threading.Thread(target=shut_down, daemon=True).start()
        left_s = _GOODBYE_S if grace_s is None else min(grace_s, _GOODBYE_S)
        while left_s > 0 and not done.is_set():
            await asyncio.sleep(0.01)
            left_s -= 0.01


def open_tracing(config: ServerConfig) -> Tracing:
    """As ``config`` says, and where it says nothing, as the variables ``OTEL_*`` do."""
    provider = TracerProvider(_sampler(config), _resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter(config.otlp_endpoint)))
    return Tracing(provider, config.trace_frames)


def _sampler(config: ServerConfig) -> Sampler | None:
    """None lets the SDK read OTEL_TRACES_SAMPLER."""
    if "OTEL_TRACES_SAMPLER" in os.environ:
        return None
    return ParentBased(TraceIdRatioBased(config.trace_ratio))


def _resource() -> Resource:
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({"service.version": __version__, **({} if named else {"service.name": "ferserve"})})


def _exporter(endpoint: str) -> SpanExporter:
    """Plain text if the endpoint says ``http://``, or nothing of how."""
    if endpoint and "://" not in endpoint:
        endpoint = f"http://{endpoint}"
    return _over_http(endpoint) if otlp_protocol(os.environ) == HTTP else _over_grpc(endpoint)


def _over_grpc(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint or None)


def _over_http(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    if endpoint and not urlsplit(endpoint).path.strip("/"):
        endpoint = f"{endpoint.rstrip('/')}/v1/traces"  # as for OTEL_EXPORTER_OTLP_ENDPOINT
    return OTLPSpanExporter(endpoint=endpoint or None)


def _outcome(result: FrameResult) -> str:
    if result.fault is not None:
        return f"fault {result.fault.code}"
    return f"dropped {result.dropped.value}" if result.dropped is not None else "answered"
