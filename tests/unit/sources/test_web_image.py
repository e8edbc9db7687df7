"""Photographs behind URLs come as the bytes that the server has."""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ferserve.errors import InvalidFrameError
from ferserve.sources.source import open_source
from ferserve.sources.web_image import download_image, fetch_image
from ferserve.types import EncodedImage, Frame

JPEG = b"\xff\xd8\xff\xe0 any bytes"
CONTENTS = {
    "/photo.jpg": ("image/jpeg", JPEG),
    "/snapshot?id=3": ("image/png", b"\x89PNG"),
    "/stream": ("multipart/x-mixed-replace; boundary=x", b"--x\r\n"),
    "/clip.mp4": ("video/mp4", b"ftyp"),
    "/f%C3%B6.jpg": ("image/jpeg", JPEG),
    "/broken.jpg": ("image/jpeg", b"\xff\xd8\xff\xe0\0"),
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, body = CONTENTS.get(self.path, ("", b""))
        self.send_response(200 if kind else 404)
        self.send_header("Content-Type", kind)
        if "broken" in self.path:
            self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/photo.jpg", "/snapshot?id=3"])
def test_an_image_is_one_frame_of_its_own_bytes(site: str, path: str) -> None:
    source = open_source(site + path)
    frame = next(source.frames)
    assert not source.live
    assert isinstance(frame, Frame)
    assert frame.payload == EncodedImage(CONTENTS[path][1])
    assert next(source.frames, None) is None


def test_a_file_url_is_the_file(tmp_path: Path) -> None:
    path = tmp_path / "phöto 1.jpg"
    path.write_bytes(JPEG)
    frame = next(open_source(path.as_uri()).frames)
    assert isinstance(frame, Frame)
    assert frame.payload == EncodedImage(JPEG)


@pytest.mark.parametrize("path", ["/stream", "/clip.mp4", "/not-there"])
def test_anything_else_is_left_to_who_opens_videos(site: str, path: str) -> None:
    assert fetch_image(site + path) is None


@pytest.mark.parametrize("url", ["rtsp://127.0.0.1:1/x", "http://127.0.0.1:1/x.jpg", "http://[bad/x.jpg", "http://"])
def test_urls_that_lead_nowhere_give_nothing(url: str) -> None:
    assert fetch_image(url) is None


@pytest.mark.parametrize("path", ["/photo.jpg", "/snapshot?id=3", "/clip.mp4", "/fö.jpg"])
def test_a_download_is_what_the_server_has_whatever_it_calls_it(site: str, path: str) -> None:
    assert download_image(site + path) == CONTENTS[urllib.parse.quote(path, safe="/?=")][1]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/not-there", "its server answers 404"), ("/broken.jpg", "its connection broke with 95 bytes to come")],
)
def test_a_download_that_fails_says_why(site: str, path: str, reason: str) -> None:
    with pytest.raises(OSError, match=reason):
        download_image(site + path)
    with pytest.raises(OSError, match="Connection refused"):
        download_image("http://127.0.0.1:1/x.jpg")


def test_a_stream_is_no_picture(site: str) -> None:
    with pytest.raises(InvalidFrameError, match="ferserve stream"):
        download_image(site + "/stream")
    with pytest.raises(InvalidFrameError, match="http or https"):
        download_image("rtsp://host/x")
