"""Live video over a socket."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from typing import Any

import jsonschema
import pytest
from websockets.exceptions import ConnectionClosed

import ferserve
from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.options import Delivery, StreamOptions
from ferserve.rendering.json import json_line
from ferserve.types import EncodedImage, Frame
from ferserve.web import WebServer
from ferserve.web.openapi import document
from tests import builders
from tests.web.serving import Socket, frame, running

CLIP = builders.jpeg_clip(6)


def result(message: dict[str, Any]) -> dict[str, Any]:
    """What a result says, without what differs from run to run."""
    assert message["type"] == "result", message
    return {key: value for key, value in message.items() if key not in ("type", "timings")}


def closed(socket: Socket) -> tuple[int, dict[str, Any]]:
    """The code of the close, and the last message before it."""
    last: dict[str, Any] = {}
    with contextlib.suppress(ConnectionClosed):
        while True:
            last = socket.next()
    code = socket.connection.close_code
    assert code is not None
    return code, last


def test_frames_get_the_answers_of_the_engine_in_order(page: str, engine: Engine) -> None:
    with Socket(page, {"delivery": "every", "smoothing_ms": 200}) as socket:
        started = socket.next()
        assert (started["type"], started["model"]["name"], started["resumed"]) == ("started", "brightness", False)
        for i, picture in enumerate(CLIP):
            socket.send(frame(i + 1, picture, (i + 1) * 33_000_000))
        answers = [result(socket.next()) for _ in CLIP]
    with engine.open_stream(StreamOptions(delivery=Delivery.EVERY, smoothing_ms=200)) as stream:
        frames = [Frame(i + 1, EncodedImage(picture), (i + 1) * 33_000_000) for i, picture in enumerate(CLIP)]
        expected = [json.loads(json_line(stream.submit(one).result())) for one in frames]
    assert answers == [{key: value for key, value in line.items() if key != "timings"} for line in expected]
    assert {face["track_id"] for answer in answers for face in answer["faces"]} == {1}
    assert answers[-1]["faces"][0]["heads"][0]["raw_probabilities"]


def test_messages_are_as_the_api_describes_them(page: str) -> None:
    api = document()
    schema = {"$ref": "#/components/schemas/stream_message", **api}
    with Socket(page, {}) as socket:
        for message in (None, frame(1, CLIP[0]), "text"):
            if message:
                socket.send(message)
            jsonschema.Draft202012Validator(schema).validate(socket.next())
    described = set(api["components"]["schemas"]["stream_config"]["properties"])
    options = {field for kind in (ferserve.StreamOptions, ferserve.FrameOptions) for field in kind.__dataclass_fields__}
    assert described == (options - {"frame"}) | {"token", "resume_token"}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (b"binary", "the first message must be a config as JSON"),
        ("not JSON", "config must be a JSON object"),
        ("[1]", "config must be a JSON object"),
        ("[" * 16_000, "config must be a JSON object"),
        (json.dumps({"stream_id": "x" * 20_000}), "config must be a JSON object"),
        ({"delivery": "all"}, "delivery must be one of latest, every, got 'all'"),
        ({"smoothing": 1}, "the nearest is 'smoothing_ms'"),
        ({"smoothing_ms": "much"}, "smoothing_ms must be a number"),
        ({"min_score": True}, "min_score must be a number"),
        ({"token": 5}, "token must be text"),
        ({"resume_token": "?"}, "resume_token must be Base64"),
        ({"model": "none"}, "model must be"),
        ({"frame": {}}, "options must be those of the API"),
    ],
)
def test_a_wrong_config_ends_the_stream_with_a_sentence(page: str, config: Any, words: str) -> None:
    with Socket(page, config) as socket:
        code, last = closed(socket)
    assert code == 1008
    assert words in last["error"]["message"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("text", "messages after the config must be binary frames, got text"),
        (b"short", "frame must be a header of 16 bytes and a picture, got 5 bytes"),
        (b"\x02" + bytes(15), "frame must begin with version 1"),
        (b"\x01\x02" + bytes(14), "known flags"),
        (frame(1, CLIP[0], 2**63), "frame must begin with version 1"),
        (frame(0, CLIP[0]), "frame_id must rise within a stream, got 0 after 0"),
    ],
)
def test_a_message_that_is_no_frame_ends_the_stream_behind_the_answers(page: str, message: Any, words: str) -> None:
    with Socket(page, {"delivery": "every"}) as socket:
        socket.next()
        socket.send(frame(0, CLIP[0]))
        socket.send(message)
        assert result(socket.next())["faces"]
        code, last = closed(socket)
    assert (code, last["error"]["code"]) == (1008, "stream_protocol")
    assert words in last["error"]["message"]
    with Socket(page, {}) as socket:
        assert socket.next()["type"] == "started"


def test_a_frame_that_is_no_picture_is_a_fault_and_the_stream_lives(page: str) -> None:
    with Socket(page, {"delivery": "every"}) as socket:
        socket.next()
        for i, picture in enumerate((b"", b"no JPEG", CLIP[0][:300], CLIP[0])):
            socket.send(frame(i, picture))
        answers = [result(socket.next()) for _ in range(4)]
    assert [answer["fault"] and answer["fault"]["code"] for answer in answers] == ["invalid_frame"] * 3 + [None]
    assert answers[3]["faces"]


def test_ten_thousand_messages_at_once_are_answered_one_by_one(page: str) -> None:
    """Nothing is read while 64 are unanswered, so they wait in the network, not in the server."""
    with Socket(page, {}, max_queue=None) as socket:
        socket.next()
        for i in range(10_000):
            socket.send(frame(i, b"x"))
        answers = [result(socket.next()) for _ in range(10_000)]
    assert [answer["frame_id"] for answer in answers] == list(range(10_000))
    outcomes = Counter("fault" if answer["fault"] else answer["dropped"] for answer in answers)
    assert set(outcomes) <= {"fault", "superseded"}


def test_a_message_that_is_too_large_closes_the_socket(engine: Engine) -> None:
    with running(WebServer(engine, ServerConfig(max_message_bytes=100_000), 0)) as page:
        with Socket(page, {}) as socket:
            socket.next()
            with contextlib.suppress(ConnectionClosed):
                socket.send(frame(1, bytes(100_001)))
            assert closed(socket)[0] == 1009
        with Socket(page, {}) as socket:
            assert socket.next()["type"] == "started"


def test_a_stream_whose_client_leaves_in_the_middle_is_closed(engine_config: EngineConfig) -> None:
    with Engine(engine_config) as engine, running(WebServer(engine, ServerConfig(), 0)) as page:
        for _ in range(3):
            socket = Socket(page, {})
            socket.next()
            socket.send(frame(1, CLIP[0]))
            socket.connection.socket.shutdown(2)
        with Socket(page, {}) as socket:
            socket.next()
            while len(engine._streams) > 1:
                pass
            socket.send(frame(1, CLIP[0]))
            assert result(socket.next())["faces"]


def test_streams_per_client_are_limited(engine: Engine) -> None:
    limits = ServerConfig(max_streams_per_client=2)
    with running(WebServer(engine, limits, 0)) as page, Socket(page, {}) as first, Socket(page, {}) as second:
        for socket in (first, second):
            socket.next()
            socket.send(frame(1, CLIP[0]))
            assert result(socket.next())["faces"]
        with Socket(page, {}) as third:
            code, last = closed(third)
        assert (code, last["error"]["code"]) == (1013, "overloaded")


def test_a_named_stream_goes_on_with_its_tracks(page: str) -> None:
    with Socket(page, {"stream_id": "door", "delivery": "every"}) as socket:
        token = socket.next()["resume_token"]
        socket.send(frame(1, CLIP[0], 1))
        assert result(socket.next())["faces"][0]["track_id"] == 1
    with Socket(page, {"stream_id": "door", "resume_token": token, "delivery": "every"}) as socket:
        assert socket.next()["resumed"]
        socket.send(frame(2, CLIP[1], 33_000_001))
        assert result(socket.next())["faces"][0]["track_id"] == 1
    with Socket(page, {"stream_id": "door", "last_track_id": 7}) as socket:
        assert not socket.next()["resumed"]
        socket.send(frame(3, CLIP[2]))
        assert result(socket.next())["faces"][0]["track_id"] == 8


def test_faces_are_calibrated_on_neutral_frames(engine: Engine, page: str) -> None:
    with Socket(page, {"delivery": "every", "smoothing_ms": 0}) as socket:
        socket.next()
        for i in range(4):
            socket.send(frame(i, CLIP[0], (i + 1) * 33_000_000, flags=i < 3))
        answers = [result(socket.next()) for _ in range(4)]
    with engine.open_stream(StreamOptions(delivery=Delivery.EVERY, smoothing_ms=0)) as stream:
        frames = [Frame(i, EncodedImage(CLIP[0]), (i + 1) * 33_000_000, neutral=i < 3) for i in range(4)]
        expected = [stream.submit(one).result().to_dict() for one in frames]
    assert answers[3]["faces"][0]["confidence"] == pytest.approx(expected[3]["faces"][0]["confidence"], abs=1e-4)


def test_a_config_that_does_not_come_is_not_waited_for(engine: Engine) -> None:
    with running(WebServer(engine, ServerConfig(receive_timeout_s=0.2), 0)) as page, Socket(page) as socket:
        code, last = closed(socket)
    assert (code, last["error"]["code"]) == (1008, "stream_protocol")
    assert "config must arrive within 0.2 s" in last["error"]["message"]
