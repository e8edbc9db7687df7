"""Spans, as a collector gets them over OTLP."""

from __future__ import annotations

import gzip
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError
from ferserve.server import Server
from ferserve.server.tracing import tracing_for
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import REQUEST_ID_KEY
from tests.serving.health import free_port
from tests.serving.streams import RawStream, astronaut_jpeg, stub_of

FRAME = pb.Frame(encoded=astronaut_jpeg())
OTHER_MODEL = pb.ClassifyRequest(frame=FRAME, options=pb.ClassifyOptions(model="nobody"))
CLASSIFY = "ferserve.v1.EmotionService/Classify"
STREAM = "ferserve.v1.EmotionService/ClassifyStream"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: dict[str, trace_pb2.Span] = {}
        """By request id."""
        self.resource: dict[str, str] = {}

    def Export(self, request: Any, context: Any) -> Any:
        for resource in request.resource_spans:
            self.resource = _values(resource.resource.attributes)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans[_values(span.attributes)["ferserve.request_id"]] = span
        return trace_service_pb2.ExportTraceServiceResponse()


def _values(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    with futures.ThreadPoolExecutor(1) as pool:
        server, collector = grpc.server(pool), Collector()
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield collector, f"127.0.0.1:{port}"
        server.stop(0).wait()


class Traced:
    """A server whose spans have come once it has stopped."""

    def __init__(self, engine: Engine, collector: tuple[Collector, str]) -> None:
        self._engine, (self._collector, self._endpoint) = engine, collector

    async def start(self, **settings: Any) -> str:
        self._server = Server(self._engine, ServerConfig(port=0, otlp_endpoint=self._endpoint, **settings))
        return await self._server.start()

    async def stop(self) -> dict[str, trace_pb2.Span]:
        await self._server.stop()
        return self._collector.spans


@pytest.fixture
def traced(engine: Engine, collector: tuple[Collector, str]) -> Traced:
    return Traced(engine, collector)


async def _stream(stub: Any, frames: int, *metadata: tuple[str, str]) -> None:
    stream = RawStream(stub, *metadata)
    await stream.open(delivery=pb.DELIVERY_EVERY)
    pictures = {i: {"encoded": astronaut_jpeg()} for i in range(1, frames)} | {frames: {"encoded": b"no picture"}}
    await stream.exchange(pictures)
    await stream.finish()


async def test_a_call_and_a_stream_are_one_span_each(traced: Traced, collector: tuple[Collector, str]) -> None:
    async with stub_of(await traced.start(trace_ratio=1.0, trace_frames=2)) as stub:
        await stub.Classify(pb.ClassifyRequest(frame=FRAME), metadata=((REQUEST_ID_KEY, "one"),))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Classify(OTHER_MODEL, metadata=((REQUEST_ID_KEY, "refused"),))
        await _stream(stub, 5, (REQUEST_ID_KEY, "live"))
    seen = await traced.stop()
    assert {name: span.name for name, span in seen.items()} == {"one": CLASSIFY, "refused": CLASSIFY, "live": STREAM}
    assert all(span.kind == trace_pb2.Span.SPAN_KIND_SERVER and not span.parent_span_id for span in seen.values())
    statuses = {name: _values(span.attributes)["rpc.response.status_code"] for name, span in seen.items()}
    assert statuses == {"one": "OK", "refused": "NOT_FOUND", "live": "OK"}
    assert all(span.status.code == trace_pb2.Status.STATUS_CODE_UNSET for span in seen.values()), "no fault of ours"
    assert _values(seen["live"].attributes)["ferserve.frames"] == 5
    events = [_values(event.attributes) for event in seen["live"].events]
    assert [(event["frame_id"], event["outcome"]) for event in events] == [
        (1, "answered"),
        (3, "answered"),
        (5, "fault invalid_frame"),
    ]
    assert [event["faces"] for event in events] == [1, 1, 0]
    assert 0 < events[0]["decode_ms"] < events[0]["total_ms"]
    spent_ms = (seen["live"].end_time_unix_nano - seen["live"].start_time_unix_nano) / 1e6
    assert spent_ms > max(event["total_ms"] for event in events)
    assert collector[0].resource["service.name"] == "ferserve"


async def test_a_callers_context_is_continued_and_decides(traced: Traced) -> None:
    """W3C: 01 asks for the trace, 00 for none, whatever the ratio."""
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    async with stub_of(await traced.start(trace_ratio=0.0)) as stub:
        for name, flag in (("wanted", "01"), ("unwanted", "00"), ("broken", "zz")):
            metadata = ((REQUEST_ID_KEY, name), ("traceparent", f"00-{trace}-{parent}-{flag}"))
            await stub.Classify(pb.ClassifyRequest(frame=FRAME), metadata=metadata)
        await stub.Classify(pb.ClassifyRequest(frame=FRAME), metadata=((REQUEST_ID_KEY, "plain"),))
    seen = await traced.stop()
    assert seen.keys() == {"wanted"}
    assert (seen["wanted"].trace_id.hex(), seen["wanted"].parent_span_id.hex()) == (trace, parent)


async def test_opentelemetrys_own_variables_count(
    engine: Engine, collector: tuple[Collector, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{collector[1]}")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "gate")
    server = Server(engine, ServerConfig(port=0, trace_ratio=0.0))
    async with stub_of(await server.start()) as stub:
        await stub.ListModels(pb.ListModelsRequest(), metadata=((REQUEST_ID_KEY, "env"),))
    await server.stop()
    assert collector[0].spans.keys() == {"env"}
    assert collector[0].resource["service.name"] == "gate"


@pytest.mark.parametrize("by_us", [True, False])
async def test_spans_travel_over_http_if_a_variable_says_so(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, by_us: bool
) -> None:
    collector, paths = Collector(), list[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.Export(trace_service_pb2.ExportTraceServiceRequest.FromString(body), None)
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http, futures.ThreadPoolExecutor(1) as pool:
        pool.submit(http.serve_forever, 0.01)
        address = f"127.0.0.1:{http.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        if not by_us:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{address}")
        server = Server(engine, ServerConfig(port=0, trace_ratio=1.0, otlp_endpoint=address if by_us else ""))
        async with stub_of(await server.start()) as stub:
            await stub.ListModels(pb.ListModelsRequest(), metadata=((REQUEST_ID_KEY, "http"),))
        await server.stop()
        http.shutdown()
    assert collector.spans.keys() == {"http"}
    assert paths == ["/v1/traces"]


def test_an_unknown_protocol_is_refused() -> None:
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_PROTOCOL must be grpc or http/protobuf, got 'http/json'"):
        tracing_for(ServerConfig(otlp_endpoint="localhost:4318"), env)
    assert tracing_for(ServerConfig(), env) is None


@pytest.mark.parametrize("env", [{}, {"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_nothing_is_traced_unless_there_is_an_endpoint_and_nobody_objects(env: dict[str, str]) -> None:
    endpoint = "localhost:4317" if env else ""
    assert tracing_for(ServerConfig(otlp_endpoint=endpoint), env) is None


async def test_a_collector_that_is_not_there_stops_no_server(engine: Engine) -> None:
    server = Server(engine, ServerConfig(port=0, otlp_endpoint=f"127.0.0.1:{free_port()}", trace_ratio=1.0))
    async with stub_of(await server.start()) as stub:
        await stub.Classify(pb.ClassifyRequest(frame=FRAME))
    await server.stop()


def test_without_the_extra_an_endpoint_of_ours_is_an_error_and_a_variable_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "ferserve.server.telemetry.traces", None)
    with pytest.raises(ConfigError, match=r"server.otlp_endpoint needs OpenTelemetry .*`pip install ferserve\[otel\]`"):
        tracing_for(ServerConfig(otlp_endpoint="localhost:4317"), {})
    assert tracing_for(ServerConfig(), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"}) is None
    assert "pip install ferserve[otel]" in caplog.text


def test_without_an_endpoint_nothing_of_opentelemetry_is_imported(model_dir: Path) -> None:
    code = (
        "import asyncio, sys\nfrom ferserve.config import *\nfrom ferserve.engine import Engine\n"
        "from ferserve.server import Server\n"
        f"engine = Engine(EngineConfig(model='brightness', model_dir={str(model_dir)!r}))\n"
        "async def main():\n    server = Server(engine, ServerConfig(port=0))\n"
        "    await server.start()\n    await server.stop(0)\n"
        "asyncio.run(main())\nengine.close()\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
