"""Peers: what their scripts say of themselves, how they are asked, and what is said of one that cannot be had."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import __main__ as peers
from benchmarks.peers import scripts
from benchmarks.peers.crops import numbers_of, some_crops
from benchmarks.peers.http_load import HttpError, Request, ask, load
from benchmarks.peers.plain_model import PlainModel
from benchmarks.peers.scripts import Peer, PeerError, find_peers
from ferserve.models.store import BUNDLED_DIR, open_model_file
from ferserve.runtime import open_session
from ferserve.runtime.classifier import Classifier
from ferserve.vision.preprocess import preprocess_into

CROP = bytes(range(256)) * 9


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers in one piece, in chunks, or not."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"probabilities": [body[0], len(body)]}).encode()
        self.send_response(500 if self.path == "/broken" else 200)
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (answer[:5], answer[5:], b""):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        else:
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients leave in the middle of an answer."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/whole", "/chunks"])
def test_answers_of_http_servers_are_read(port: int, path: str) -> None:
    assert list(numbers_of(ask(port, Request(path, "bytes").encode(CROP)))) == [CROP[0], len(CROP)]
    answered, latencies = load(port, [Request(path, "bytes").encode(CROP)], 4, 0.2)
    assert answered == len(latencies)


def test_an_error_of_a_server_is_no_figure(port: int) -> None:
    with pytest.raises(HttpError, match="500"):
        load(port, [Request("/broken", "bytes").encode(CROP)], 2, 0.2)


def test_every_form_of_a_request_carries_the_same_pixels() -> None:
    bodies = {form: Request("/", form).encode(CROP).partition(b"\r\n\r\n")[2] for form in ("bytes", "base64", "tensor")}
    assert bodies["bytes"] == CROP
    assert base64.b64decode(json.loads(bodies["base64"])["image"]) == CROP
    assert bytes(json.loads(bodies["tensor"])["inputs"][0]["data"]) == CROP


def test_the_model_as_people_run_it_gives_our_answer() -> None:
    """So that peers and ferserve do the same work."""
    path = BUNDLED_DIR / "emotion-lite.onnx"
    crops = some_crops()[:3]
    plain = PlainModel(str(path))
    spec = open_model_file(path).spec
    rows = np.zeros((3, *spec.input.row_shape), np.float32)
    for i, crop in enumerate(crops):
        luma = np.frombuffer(crop, np.uint8).reshape(48, 48)
        preprocess_into(luma, "luma", np.array([[0, 0, 48, 48]], np.float32), spec.input, rows[i : i + 1])
    ours = Classifier(open_session(path), spec).infer(rows)[0]
    np.testing.assert_allclose(plain.probabilities(plain.rows(crops)), ours, atol=1e-4)


def test_every_peer_says_what_it_needs_and_does() -> None:
    found = find_peers()
    assert {"fer", "deepface", "opencv_onnx", "mosec", "litserve", "mlserver", "ray_serve", "pytriton"} <= found.keys()
    assert {peer.task for peer in found.values()} == {"frames", "crops", "ours"}
    assert all({"path", "form"} <= peer.settings.keys() for peer in found.values() if peer.task == "crops")
    assert all(peer.needs for peer in found.values() if peer.task != "ours")


def test_a_peer_that_cannot_be_installed_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "ENVIRONMENTS", tmp_path)
    peer = Peer("gone", (f"gone @ file://{tmp_path}/gone-1-py3-none-any.whl",), "crops", {"path": "/", "form": "bytes"})
    with pytest.raises(PeerError, match="pip cannot install gone @ file"):
        peer.python()
    assert list(tmp_path.iterdir()) == []


def test_the_rest_goes_on_if_a_peer_cannot_be_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"per_second": 10.0, "cpu_ms": 1.0, "p99_ms": 2.0, "rss_mb": 3.0, "ratios": [2.0, 3.0, 4.0]}
    lost = {**find_peers(), "fer": Peer("fer", (), "frames", {"files": ["/nowhere"], "missing": "fetch it"})}
    monkeypatch.setattr(peers, "find_peers", lambda: lost)
    monkeypatch.setattr(
        peers, "compare_crops", lambda *_: [{"name": "ferserve serve", **row}, {"name": "mosec", **row}]
    )
    monkeypatch.setattr("sys.argv", ["peers", "fer", "mosec"])
    assert peers.main() == 1
    said = capsys.readouterr().out
    assert "no figure of fer: /nowhere is not at hand: fetch it" in said
    assert "| mosec | 10 | 1.00 | 2 | 3 | 3.0 times as many (2.5 to 3.5), 1.0 times per CPU second |" in said


def test_ctrl_c_prints_what_was_measured_so_far(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run(peer: Peer, *_: object) -> str:
        if peer.name == "mosec":
            raise KeyboardInterrupt
        return "too busy"

    monkeypatch.setattr(peers, "run", run)
    monkeypatch.setattr("sys.argv", ["peers", "fer", "mosec", "litserve", "--json", str(tmp_path / "p.json")])
    assert peers.main() == 130
    assert capsys.readouterr().out == "\nno figure of fer: too busy\n"
    assert not (tmp_path / "p.json").exists()


def test_a_script_that_ends_early_is_quoted() -> None:
    peer = Peer("nobody", (), "frames", {})
    with pytest.raises(PeerError, match=r"its last words: .*: No module named benchmarks"):
        peers.compare_frames(peer, find_peers()["ours"], BUNDLED_DIR / "emotion-lite.onnx", 0.1, 1)
