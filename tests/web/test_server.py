"""The port of the page: its connections, its certificates, its end."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError
from ferserve.web import WebServer
from tests import builders
from tests.serving.certificates import issue
from tests.web.serving import Behind, Socket, classify, frame, running

CLIP = builders.jpeg_clip(4)


def connection_to(page: str) -> socket.socket:
    where = urlsplit(page)
    assert where.hostname
    assert where.port
    return socket.create_connection((where.hostname, where.port), 20)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_a_connection_without_a_whole_header_is_closed(engine: Engine, said: bytes) -> None:
    with running(WebServer(engine, ServerConfig(receive_timeout_s=0.2), 0)) as page:
        with connection_to(page) as silent:
            silent.sendall(said)
            assert silent.recv(100) == b""
        with Socket(page, {}) as stream:
            assert stream.next()["type"] == "started"
            with connection_to(page) as silent:  # closed while the stream, which is older, goes on
                assert silent.recv(100) == b""
            stream.send(frame(1, CLIP[0]))
            assert stream.next()["faces"]


def test_a_second_header_is_not_waited_for_either(engine: Engine) -> None:
    with running(WebServer(engine, ServerConfig(receive_timeout_s=0.2), 0)) as page, connection_to(page) as kept:
        kept.sendall(b"GET /v1/demo HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.recv(4000).startswith(b"HTTP/1.1 404")
        kept.sendall(b"GET / HT")
        while kept.recv(4000):
            pass


def test_connections_per_client_are_limited(engine: Engine) -> None:
    with running(WebServer(engine, ServerConfig(max_connections_per_client=2), 0)) as page:
        with connection_to(page) as first, connection_to(page) as second:
            for connection in (first, second):
                connection.sendall(b"GET /v1/info HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert connection.recv(4000).startswith(b"HTTP/1.1 200")
            with connection_to(page) as third:
                assert third.recv(100) == b""
        while not answers(page):  # until the server has noticed that they are gone
            pass


def answers(page: str) -> bool:
    """Whether a picture is answered; False if the connection is closed."""
    try:
        return classify(page, CLIP[0]).status == 200
    except (ConnectionError, http.client.HTTPException):
        return False


def test_the_page_speaks_tls_and_takes_up_new_certificates(engine: Engine, tmp_path: Path) -> None:
    old, new = issue(tmp_path, "old"), issue(tmp_path, "new")

    def status(ca: str) -> int:
        connection = http.client.HTTPSConnection(
            urlsplit(page).netloc, timeout=20, context=ssl.create_default_context(cafile=ca)
        )
        connection.request("GET", "/v1/info")
        found = connection.getresponse().status
        connection.close()
        return found

    with running(WebServer(engine, ServerConfig(**old.server), 0)) as page:
        assert page.startswith("https://")
        assert status(old.ca) == 200
        Path(old.key).write_text("half of a renewal")
        assert status(old.ca) == 200
        for before, after in ((old.cert, new.cert), (old.key, new.key)):
            shutil.copyfile(after, before)
        assert status(new.ca) == 200
        with pytest.raises(ssl.SSLError):
            status(old.ca)
    with pytest.raises(ConfigError, match=r"server\.tls_cert"):
        WebServer(engine, ServerConfig(tls_cert=old.ca, tls_key=new.key), 0)


def test_a_server_that_stops_answers_the_frames_that_it_took(engine: Engine) -> None:
    server = WebServer(engine, ServerConfig(), 0)
    with running(server) as page, Socket(page, {"delivery": "every"}) as stream:
        stream.next()
        for i, picture in enumerate(CLIP):
            stream.send(frame(i, picture))
            assert stream.next()["frame_id"] == i
        loop = server._serving.get_loop()  # type: ignore[union-attr]
        loop.call_soon_threadsafe(lambda: loop.create_task(server.stop(5)))
        last = stream.next()
    assert last["error"]["code"] == "model_not_ready"
    assert "shutting down" in last["error"]["message"]


def test_a_stream_goes_through_to_the_server_behind_the_page(engine: Engine) -> None:
    with running(Behind(engine)) as page:
        with Socket(page, {"delivery": "every"}) as stream:
            assert stream.next()["model"]["name"] == "brightness"
            for i in range(30):
                stream.send(frame(10 + i, CLIP[i % 4], (i + 1) * 33_000_000))
            answers = [stream.next() for _ in range(30)]
            assert [answer["frame_id"] for answer in answers] == list(range(10, 40))
            assert {face["track_id"] for answer in answers for face in answer["faces"]} == {1}
            stream.send("text")
            assert stream.next()["error"]["code"] == "stream_protocol"
        with Socket(page, {"model": "none"}) as stream:
            assert stream.next()["error"]["code"] == "model_not_found"


def test_pictures_and_streams_share_a_port_at_a_time(engine: Engine) -> None:
    with running(WebServer(engine, ServerConfig(), 0)) as page, Socket(page, {"delivery": "every"}) as stream:
        stream.next()
        statuses: list[int] = []
        asking = threading.Thread(target=lambda: statuses.extend(classify(page, CLIP[0]).status for _ in range(5)))
        asking.start()
        for i in range(5):
            stream.send(frame(i, CLIP[0]))
            assert json.dumps(stream.next()["faces"])
        asking.join()
    assert statuses == [200] * 5
