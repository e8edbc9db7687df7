"""Buckets, in moto's stand-in of S3. `make test-ray` runs these tests; without moto they are skipped."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from ferserve.analysis import read_table
from ferserve.cluster.storage import Storage
from ferserve.errors import ConfigError
from tests.cluster.archive import alone, archive, command, parts

moto_server = pytest.importorskip("moto.server", reason="buckets need moto: make test-ray")
pytestmark = [pytest.mark.timeout(200), pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def settings(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Those of AWS, in the environment."""
    names = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
    }
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    return names


@pytest.fixture
def bucket(settings: dict[str, str], tmp_path: Path) -> str:
    """An empty bucket, and the same videos in a folder and in the bucket's ``videos``."""
    from pyarrow import fs

    name = f"b{abs(hash(tmp_path)):x}"
    host = settings["AWS_ENDPOINT_URL"].partition("://")[2]
    s3 = fs.S3FileSystem(endpoint_override=host, scheme="http", allow_bucket_creation=True)
    s3.create_dir(name)
    archive(tmp_path / "videos", 4)
    fs.copy_files(str(tmp_path / "videos"), f"{name}/videos", destination_filesystem=s3)
    return f"s3://{name}"


def _fetched(location: str, folder: Path) -> Path:
    """The parts of a bucket, as files."""
    storage = Storage(location)
    for name in (f"faces/cam{number % 3}/{number:03}.avi.parquet" for number in range(4)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with storage.open(name) as part:
            (folder / name).write_bytes(part.read())
    return folder


def test_a_bucket_holds_what_a_folder_holds(bucket: str, tmp_path: Path) -> None:
    alone(tmp_path / "videos", tmp_path / "local")
    done = alone(f"{bucket}/videos", f"{bucket}/out")
    assert [report.error for report in done.values()] == [""] * 4
    fetched = _fetched(f"{bucket}/out", tmp_path / "fetched")
    pd.testing.assert_frame_equal(read_table(fetched), read_table(tmp_path / "local"))
    with Storage(f"{bucket}/out").open("manifest.json") as manifest:
        assert manifest.read() == (tmp_path / "local" / "manifest.json").read_bytes()
    assert all(report.skipped for report in alone(f"{bucket}/videos", f"{bucket}/out").values())
    assert alone(f"{bucket}/videos/cam0/000.avi", tmp_path / "one")["000.avi"].rows == 6


def test_a_damaged_object_is_made_again(bucket: str, tmp_path: Path) -> None:
    alone(f"{bucket}/videos", f"{bucket}/out")
    before = parts(_fetched(f"{bucket}/out", tmp_path / "before"))
    half = tmp_path / "half"
    half.write_bytes(b"PAR1 half")
    Storage(f"{bucket}/out").commit(half, "faces/cam1/001.avi.parquet")
    done = alone(f"{bucket}/videos", f"{bucket}/out")
    assert [name for name, report in done.items() if not report.skipped] == ["cam1/001.avi"]
    assert parts(_fetched(f"{bucket}/out", tmp_path / "after")) == before


def test_workers_read_and_write_buckets(bucket: str, settings: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="clusters need Ray: make test-ray")
    with command(f"{bucket}/videos", "--out", f"{bucket}/out", "--workers", "2", **settings) as run:
        out, err = run.communicate(timeout=150)
    assert run.returncode == 0, err
    assert "4 files" in out
    alone(tmp_path / "videos", tmp_path / "local")
    fetched = _fetched(f"{bucket}/out", tmp_path / "fetched")
    pd.testing.assert_frame_equal(read_table(fetched), read_table(tmp_path / "local"))


class _Refuses(http.server.BaseHTTPRequestHandler):
    def _refuse(self) -> None:
        body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _refuse

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_bucket_that_refuses(
    bucket: str, settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way_out = "check the bucket's name, its rights, and the settings of AWS"
    with pytest.raises(ConfigError, match=f"cannot read s3://no-such-bucket/x: .*; {way_out}"):
        alone("s3://no-such-bucket/x", tmp_path / "out")
    with pytest.raises(ConfigError, match=f"cannot write s3://no-such-bucket/out: .*; {way_out}"):
        alone(tmp_path / "videos", "s3://no-such-bucket/out")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refuses) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        for source, out in ((bucket, tmp_path / "out"), (tmp_path / "videos", bucket)):
            with pytest.raises(ConfigError, match=r"ACCESS_DENIED|Access Denied"):
                alone(source, out)
        server.shutdown()
        thread.join()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")  # nobody listens any more
    with pytest.raises(ConfigError, match="cannot read s3://"):
        alone(bucket, tmp_path / "out")
