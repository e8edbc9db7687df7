"""Pulls go on where they broke off, by way of proxies, and keep nothing that is wrong."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ferserve.errors import ModelPullError
from ferserve.models.pull import PULLABLE, PullableModel, pull_model

BYTES = bytes(range(256)) * 400


class Publisher(ThreadingHTTPServer):
    """Serves :data:`BYTES`; cuts the answer off after ``cut`` bytes, and notes what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cut: int | None = None
        self.ranges = True
        self.asked: list[tuple[str, str]] = []
        self.content = BYTES

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/tiny.onnx"


class _Handler(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.path, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        if start and start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    server = Publisher()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tiny(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    model = PullableModel("tiny", publisher.url, hashlib.sha256(BYTES).hexdigest(), "MIT", "a test")
    monkeypatch.setitem(PULLABLE, "tiny", model)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_pull_goes_on_where_it_stopped(publisher: Publisher, tmp_path: Path, ranges: bool) -> None:
    publisher.cut, publisher.ranges = 70_000, ranges
    with pytest.raises(ModelPullError, match=r"got 70000 of 102400 bytes; 70000 bytes are kept, .*--from FILE"):
        pull_model("tiny", folder=tmp_path)
    assert names(tmp_path) == [".tiny.onnx.part"]
    publisher.cut = None
    assert pull_model("tiny", folder=tmp_path).read_bytes() == BYTES
    assert names(tmp_path) == ["tiny.onnx"]
    assert [asked for _, asked in publisher.asked] == ["", "bytes=70000-"]


@pytest.mark.usefixtures("tiny")
def test_a_pull_that_had_all_of_it(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / ".tiny.onnx.part").write_bytes(BYTES)
    assert pull_model("tiny", folder=tmp_path).read_bytes() == BYTES


@pytest.mark.usefixtures("tiny")
def test_a_wrong_file_is_not_kept_and_not_gone_on_with(publisher: Publisher, tmp_path: Path) -> None:
    pull_model("tiny", folder=tmp_path)
    publisher.content = b"another file"
    with pytest.raises(ModelPullError, match=r"must have the SHA-256 .* nothing was changed; on a machine without"):
        pull_model("tiny", folder=tmp_path)
    assert (tmp_path / "tiny.onnx").read_bytes() == BYTES
    (tmp_path / ".tiny.onnx.part").write_bytes(b"of another version")
    publisher.content = BYTES
    with pytest.raises(ModelPullError, match="must have the SHA-256"):
        pull_model("tiny", folder=tmp_path)
    assert names(tmp_path) == ["tiny.onnx"]
    assert pull_model("tiny", folder=tmp_path).read_bytes() == BYTES


@pytest.mark.usefixtures("tiny")
def test_proxies_of_the_environment_are_used(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = PullableModel("tiny", "http://models.example/x.onnx", hashlib.sha256(BYTES).hexdigest(), "MIT", "a test")
    monkeypatch.setitem(PULLABLE, "tiny", model)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{publisher.server_port}")
    monkeypatch.setenv("no_proxy", "")
    assert pull_model("tiny", folder=tmp_path).read_bytes() == BYTES
    assert publisher.asked == [("http://models.example/x.onnx", "")]


@pytest.mark.usefixtures("tiny")
def test_nobody_answers(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = PullableModel("tiny", "http://127.0.0.1:9/x.onnx", "0" * 64, "MIT", "a test")
    monkeypatch.setitem(PULLABLE, "tiny", model)
    with pytest.raises(ModelPullError, match=r"must be reachable, got .*; on a machine without network download it"):
        pull_model("tiny", folder=tmp_path)
    assert names(tmp_path) == []
