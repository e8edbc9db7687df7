"""Asks the servers of a tree and writes what they answer, one canonical JSON object per line, apart from timings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import queue
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from tests.same_answers.exchanges import Call, Exchange, Server, Stream, config
from tests.same_answers.servers import SETTINGS, serving

Line = dict[str, Any]
CALL_S = 60.0
CANCEL_S = 1.0
"""How long a server may take to notice that a client has gone."""


def record(recorded: tuple[Server, ...], tree: Path, python: Path) -> Iterator[Line]:
    """The answers of each server, in order; ``tree`` is a checkout with its extension built."""
    for server in recorded:
        with tempfile.TemporaryDirectory() as folder, serving(server, tree, python, Path(folder)) as (address, process):
            options = [("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0)]
            with grpc.insecure_channel(address, options) as channel:
                for line in _ask_all(server, channel, process):
                    yield {"server": server.name, **line}


def _ask_all(server: Server, channel: grpc.Channel, process: subprocess.Popen[str]) -> Iterator[Line]:
    stub = emotion_pb2_grpc.EmotionServiceStub(channel)
    for exchange in server.exchanges:
        yield from ask(stub, exchange)
    yield from _health(channel)
    yield from _too_many_streams(stub)
    yield from _stopped(stub, process)


def ask(stub: emotion_pb2_grpc.EmotionServiceStub, exchange: Exchange) -> Iterator[Line]:
    """Lines about one call or one stream."""
    lines = _call(stub, exchange) if isinstance(exchange, Call) else _stream(stub, exchange)
    for number, line in enumerate(lines):
        yield {"exchange": exchange.name, "number": number, **line}


def _call(stub: emotion_pb2_grpc.EmotionServiceStub, exchange: Call) -> Iterator[Line]:
    asked = {"asked": _digest(exchange.request)}
    try:
        answer, call = getattr(stub, exchange.method).with_call(exchange.request, timeout=CALL_S)
    except grpc.RpcError as error:
        yield asked | _status(error)
    else:
        yield asked | {"answer": canonical(answer)} | _status(call)


def _stream(stub: emotion_pb2_grpc.EmotionServiceStub, exchange: Stream) -> Iterator[Line]:
    """One line per message from the server, and one for the end; the answer to a breach is the end."""
    outbox: queue.SimpleQueue[pb.ClassifyStreamRequest | None] = queue.SimpleQueue()
    call = stub.ClassifyStream(iter(outbox.get, None), timeout=CALL_S)
    answers = iter(call)
    try:
        for message in exchange.messages:
            outbox.put(message)
            if exchange.lockstep and (answer := next(answers, None)) is not None:
                yield {"asked": _digest(message), "answer": canonical(answer)}
        if exchange.end == "cancel":
            call.cancel()
            time.sleep(CANCEL_S)
        outbox.put(None)
        for answer in answers:
            yield {"answer": canonical(answer)}
    except grpc.RpcError:
        pass  # its status is told below
    finally:
        outbox.put(None)
    yield _status(call)


def _health(channel: grpc.Channel) -> Iterator[Line]:
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "ferserve.v1.EmotionService", "no.such.Service"):
        line: Line = {"exchange": f"health of {service!r}", "number": 0}
        try:
            answer, call = stub.Check.with_call(health_pb2.HealthCheckRequest(service=service), timeout=CALL_S)
        except grpc.RpcError as error:
            yield line | _status(error)
        else:
            yield line | {"answer": canonical(answer)} | _status(call)


def _too_many_streams(stub: emotion_pb2_grpc.EmotionServiceStub) -> Iterator[Line]:
    """As many open streams as allowed, and one more, which is refused."""
    outboxes = [queue.SimpleQueue() for _ in range(int(SETTINGS["FERSERVE_SERVER_MAX_STREAMS_PER_CLIENT"]))]
    calls = [stub.ClassifyStream(iter(outbox.get, None), timeout=CALL_S) for outbox in outboxes]
    for outbox, call in zip(outboxes, calls, strict=True):
        outbox.put(config())
        next(call)
    yield from ask(stub, Stream("one stream too many", (config(),)))
    for number, (outbox, call) in enumerate(zip(outboxes, calls, strict=True)):
        outbox.put(None)
        rest = [canonical(answer) for answer in call]
        yield {"exchange": "open streams", "number": number, "answer": rest} | _status(call)


def _stopped(stub: emotion_pb2_grpc.EmotionServiceStub, process: subprocess.Popen[str]) -> Iterator[Line]:
    """An open stream of a server that is told to stop, and the server's exit code."""
    outbox: queue.SimpleQueue[pb.ClassifyStreamRequest | None] = queue.SimpleQueue()
    call = stub.ClassifyStream(iter(outbox.get, None), timeout=CALL_S)
    outbox.put(config())
    answers = [canonical(next(call))]
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(grpc.RpcError):  # its status is told below
        answers += [canonical(answer) for answer in call]
    outbox.put(None)
    yield {"exchange": "a server that stops", "number": 0, "answer": answers} | _status(call)
    yield {"exchange": "a server that stops", "number": 1, "exit code": process.wait(CALL_S)}


def _status(call: Any) -> Line:
    """Status and metadata of a call that has ended, without its id, which is never the same."""
    return {
        "status": call.code().name,
        "details": re.sub(r" \(request [0-9a-f]{12}\)$", "", call.details()),
        "initial metadata": _metadata(call.initial_metadata()),
        "trailing metadata": _metadata(call.trailing_metadata()),
    }


def _metadata(pairs: Any) -> list[list[str]]:
    return sorted([key, str(value)] for key, value in pairs or () if key != "x-request-id")


def canonical(message: Message) -> Any:
    """A message as JSON values, without timings; what JSON does not tell, such as fields of a later version, as hex."""
    message = type(message).FromString(message.SerializeToString())
    if isinstance(message, pb.ClassifyResponse | pb.ClassifyStreamResponse) and message.HasField("result"):
        message.result.ClearField("timings")
    told = json_format.MessageToDict(message, preserving_proto_field_name=True)
    whole = message.SerializeToString(deterministic=True)
    again = json_format.ParseDict(told, type(message)()).SerializeToString(deterministic=True)
    return told if whole == again else {**told, "bytes": whole.hex()}


def _digest(message: Message) -> str:
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()[:16]


def to_text(line: Line) -> str:
    """One line of a record."""
    return json.dumps(line, sort_keys=True, ensure_ascii=True)
