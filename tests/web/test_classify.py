"""Pictures over HTTP."""

from __future__ import annotations

import csv
import http.client
import io
import json
import socket
import threading
from collections.abc import Iterator
from importlib.resources import files
from urllib.parse import urlsplit

import jsonschema
import pytest

import ferserve
from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.rendering.csv import CsvRenderer
from ferserve.rendering.json import json_line
from ferserve.web import WebServer
from tests import builders
from tests.web.serving import Behind, ask, classify, running

JPEG = builders.jpeg(builders.astronaut())


def without_timings(result: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in result.items() if key != "timings"}


def test_a_picture_gets_the_answer_of_the_engine(page: str, engine: Engine) -> None:
    answer = classify(page, JPEG)
    assert answer.status == 200
    schema = json.loads((files("ferserve.rendering") / "result.schema.json").read_text())
    jsonschema.validate(answer.json, schema)
    with ferserve.LocalClient(engine) as client:
        expected = json.loads(json_line(client.classify(JPEG)))
    assert len(expected["faces"]) == 1
    assert without_timings(answer.json) == without_timings(expected)


def test_a_page_of_another_server_answers_alike(page: str, engine: Engine) -> None:
    with running(Behind(engine)) as address:
        assert without_timings(classify(address, JPEG).json) == without_timings(classify(page, JPEG).json)
        assert ask(address, "GET", "v1/models").json == ask(page, "GET", "v1/models").json
        assert classify(address, b"%PDF-1.7").error == (400, "invalid_frame")


def test_csv_is_the_table_of_the_commands(page: str, engine: Engine) -> None:
    answer = classify(page, JPEG, accept="text/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.body.decode()))
    assert list(row) == list(CsvRenderer(engine.model("").heads).columns)
    assert float(row["box.x0"]) == classify(page, JPEG).json["faces"][0]["box"][0]


def test_options_reach_the_engine(page: str) -> None:
    assert classify(page, JPEG, "?min_score=1").json["faces"] == []
    assert classify(page, JPEG, "?model=other&max_faces=1").json["model_name"] == "other"
    half = JPEG[: len(JPEG) * 3 // 4]
    assert classify(page, half).error == (400, "invalid_frame")
    assert "rows" in classify(page, half, "?use_truncated=true").json["degraded"]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("?min_score=2", 400, "min_score must be from 0 to 1"),
        ("?min_score=nan", 400, "min_score must be from 0 to 1"),
        ("?max_faces=many", 400, "max_faces must be a whole number, got 'many'"),
        ("?max_faces=1.5", 400, "max_faces must be a whole number"),
        ("?use_truncated=1", 400, "use_truncated must be true or false"),
        ("?max_face=1", 400, "the nearest is 'max_faces'"),
        ("?detection_side_px=9999", 400, "detection_side_px must be"),
        ("?model=none", 404, "model must be"),
        (f"?model={'m' * 200}", 400, "model must be at most 128 characters"),
    ],
)
def test_wrong_options_are_named(page: str, query: str, status: int, words: str) -> None:
    answer = classify(page, JPEG, query)
    assert answer.status == status
    assert words in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "got 0 bytes"),
        (b"%PDF-1.7 a document called .jpg", "must be a known image format"),
        (JPEG[:500], "must be"),
        (builders.png_bomb(), "at most 50000000 px"),
        (builders.encoded(builders.rgb_picture(), "PNG")[:300], "must be"),
    ],
)
def test_what_is_no_picture_is_refused_and_the_next_one_answered(page: str, body: bytes, words: str) -> None:
    answer = classify(page, body, content_type="image/jpeg")
    assert answer.error == (400, "invalid_frame")
    assert words in answer.json["error"]["message"]
    assert classify(page, JPEG).status == 200


def test_odd_pictures_are_answered(page: str) -> None:
    assert classify(page, builders.tall_png(1)).json["faces"] == []  # one pixel
    assert "first frame" in classify(page, builders.animated("GIF")).json["degraded"]
    upright = builders.rgb_picture().crop((0, 0, 300, 200))
    sideways = upright.rotate(90, expand=True)
    exif = sideways.getexif()
    exif[0x0112] = 6  # turned to the right, it is upright
    answer = classify(page, builders.encoded(sideways, "JPEG", exif=exif.tobytes()))
    assert (answer.json["width"], answer.json["height"]) == (300, 200)


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_an_animation_is_refused_with_a_way_out(page: str, kind: str) -> None:
    answer = classify(page, builders.animated(kind))
    assert answer.error == (400, "invalid_frame")
    assert "send its frames one by one" in answer.json["error"]["message"]


def test_a_body_that_is_too_large_is_refused(engine: Engine) -> None:
    with running(WebServer(engine, ServerConfig(max_message_bytes=200_000), 0)) as page:
        assert ask(page, "GET", "v1/info").json["max_picture_bytes"] == 200_000
        assert classify(page, bytes(200_001)).error == (413, "too_large")
        chunks = (bytes(50_000) for _ in range(5))
        assert ask(page, "POST", "v1/classify", chunks).error == (413, "too_large")
        assert classify(page, JPEG).status == 200


def test_two_hundred_megabytes_are_refused_by_what_they_say_of_themselves(page: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(page).netloc, timeout=20)
    connection.putrequest("POST", "/v1/classify")
    connection.putheader("Content-Length", str(200 * 2**20))
    connection.endheaders(b"\xff\xd8\xff")
    assert connection.getresponse().status == 413
    connection.close()


def _half_sent(page: str) -> http.client.HTTPConnection:
    """A request whose body does not end."""
    connection = http.client.HTTPConnection(urlsplit(page).netloc, timeout=20)
    connection.putrequest("POST", "/v1/classify")
    connection.putheader("Content-Length", str(len(JPEG)))
    connection.endheaders(JPEG[: len(JPEG) // 2])
    return connection


def test_one_client_has_so_many_calls_in_flight(engine: Engine) -> None:
    with running(WebServer(engine, ServerConfig(max_calls_per_client=1), 0)) as page:
        first = _half_sent(page)
        answer = classify(page, JPEG)
        while answer.status == 200:  # the first one has not reached the server yet
            answer = classify(page, JPEG)
        assert answer.error == (429, "overloaded")
        assert answer.headers["retry-after"] == "1"
        first.send(JPEG[len(JPEG) // 2 :])
        assert first.getresponse().status == 200
        first.close()
        assert classify(page, JPEG).status == 200


def test_bodies_share_the_memory_for_what_arrives(engine: Engine) -> None:
    limits = ServerConfig(max_message_bytes=len(JPEG), max_receiving_bytes=len(JPEG))
    with running(WebServer(engine, limits, 0)) as page:
        first = _half_sent(page)
        answer = classify(page, JPEG)
        while answer.status == 200:
            answer = classify(page, JPEG)
        assert answer.error == (429, "overloaded")
        assert "max_receiving_bytes" in answer.json["error"]["message"]
        first.close()
        while classify(page, JPEG).status != 200:  # until the server has noticed
            pass


def test_a_body_that_never_ends_is_given_up(engine: Engine) -> None:
    with running(WebServer(engine, ServerConfig(receive_timeout_s=0.2), 0)) as page:
        connection = _half_sent(page)
        answer = connection.getresponse()
        assert answer.status == 504
        assert "must arrive within 0.2 s" in json.loads(answer.read())["error"]["message"]
        connection.close()


@pytest.fixture
def broken(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A page whose engine fails in a way that nobody foresaw."""

    def fail(*_: object) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(engine, "submit", fail)
    with running(WebServer(engine, ServerConfig(), 0)) as address:
        yield address


def test_an_internal_error_tells_no_secret(broken: str) -> None:
    answer = classify(broken, JPEG)
    assert answer.error == (500, "internal")
    assert "secret" not in answer.body.decode()


def test_many_pictures_at_a_time_are_answered(page: str) -> None:
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(classify(page, JPEG).status)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 16


def test_answers_are_sent_at_once(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    """Without TCP_NODELAY the body of an answer waits 40 ms for the acknowledgement of its head."""
    accepted: list[int] = []
    accept = socket.socket.accept

    def noting(listener: socket.socket) -> tuple[socket.socket, object]:
        connection, address = accept(listener)
        accepted.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        return connection, address

    monkeypatch.setattr(socket.socket, "accept", noting)
    with running(WebServer(engine, ServerConfig(), 0)) as address:
        assert classify(address, JPEG).status == 200
    assert accepted == [1]
