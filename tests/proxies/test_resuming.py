"""Servers that share a resume key, and TLS on both sides."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import ferserve
from ferserve.config import Tls
from tests import builders
from tests.proxies.backends import NAMES, Backends
from tests.proxies.conftest import OpenCamera
from tests.proxies.proxy import Envoy, Proxy, require_envoy

pytestmark = pytest.mark.proxies


@pytest.fixture
def with_keys(backends: Backends, tmp_path: Path) -> Iterator[Backends]:
    """The three servers with one key."""
    keys = tmp_path / "keys"
    keys.write_text(secrets.token_hex(32) + "\n")
    keys.chmod(0o600)
    _restart(backends, resume_key_file=keys)
    yield backends
    _close(backends)


def _restart(backends: Backends, **settings: object) -> None:
    for backend in backends.by_name.values():
        backend.stop()
        backend.start(**settings)


def _close(backends: Backends) -> None:
    for backend in backends.by_name.values():
        backend.close()


def test_faces_keep_their_ids_if_their_server_is_killed(
    with_keys: Backends, proxy: Proxy, open_camera: OpenCamera
) -> None:
    proxy.wait_for(*NAMES)
    cameras = [open_camera(f"camera-{number}") for number in range(9)]
    for camera in cameras:
        camera.film(10)
        camera.settle()
    before = {camera.stream_id: camera.results[-1] for camera in cameras}
    with_keys["b"].kill()
    moved = [camera for camera in cameras if before[camera.stream_id].model_version == "b"]
    assert moved
    for camera in cameras:
        camera.film(10)
        camera.assert_whole()
        assert not any(result.tracks_lost for result in camera.results)
        ids = {face.track_id for result in camera.results for face in result.faces}
        assert ids == {face.track_id for face in before[camera.stream_id].faces}
    assert all(camera.results[-1].model_version != "b" for camera in moved)


def test_tls_on_both_sides(running_backends: Backends, tmp_path: Path) -> None:
    """With the lines of envoy.yaml that are switched on by removing their marks."""
    require_envoy()
    authority = trustme.CA()
    leaf = authority.issue_cert("ferserve", "127.0.0.1")
    for name, blob in (("ca.crt", authority.cert_pem), ("tls.key", leaf.private_key_pem), ("tls.crt", None)):
        for pem in [blob] if blob else leaf.cert_chain_pems:
            pem.write_to_path(str(tmp_path / name), append=True)
    running_backends.restore()
    _restart(running_backends, tls_cert=tmp_path / "tls.crt", tls_key=tmp_path / "tls.key")
    ports = {name: backend.port for name, backend in running_backends.by_name.items()}
    try:
        with Envoy(tmp_path, ports, {"#tls ": "", "/etc/envoy": str(tmp_path)}) as proxy:
            proxy.wait_for(*NAMES)
            with ferserve.Client(proxy.address, tls=Tls(ca=str(tmp_path / "ca.crt"))) as client:
                assert client.classify(builders.jpeg(builders.astronaut())).ok
                assert all(result.ok for result in client.stream(builders.jpeg_clip(3), fps=30))
    finally:
        _close(running_backends)
