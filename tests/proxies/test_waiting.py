"""Streams without traffic, connections of a limited age, and proxies that cut what is idle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxies.backends import NAMES, Backends
from tests.proxies.camera import Camera
from tests.proxies.conftest import OpenCamera
from tests.proxies.proxy import Proxy

pytestmark = pytest.mark.proxies

_DEFAULT_ROUTE_TIMEOUT_S = 15
"""Envoy's own, which would end a stream."""
_CUTS = {
    "envoy": {"stream_idle_timeout: 0s": "stream_idle_timeout: 1s"},
    "haproxy": {"timeout client 24h": "timeout client 1s", "timeout server 24h": "timeout server 1s"},
}


def test_a_stream_that_is_silent_is_not_cut(open_camera: OpenCamera) -> None:
    camera = open_camera("door")
    before = camera.ask()
    time.sleep(_DEFAULT_ROUTE_TIMEOUT_S + 2)
    after = camera.ask()
    assert (after.model_version, after.tracks_lost) == (before.model_version, False)
    assert [face.track_id for face in after.faces] == [face.track_id for face in before.faces]


def test_a_proxy_that_cuts_silent_streams(kind: type[Proxy], backends: Backends, tmp_path: Path) -> None:
    """The client opens the stream anew, by its id on the same server, which still knows its faces."""
    ports = {name: backend.port for name, backend in backends.by_name.items()}
    with kind(tmp_path, ports, _CUTS[kind.name]) as proxy:
        proxy.wait_for(*NAMES)
        with Camera(proxy.address, "door") as camera:
            first = camera.ask()
            for _ in range(2):
                time.sleep(2.5)
                again = camera.ask()
                assert again.model_version == first.model_version
                assert [face.track_id for face in again.faces] == [face.track_id for face in first.faces]
            camera.assert_whole()
            assert proxy.streams() >= 3


@pytest.fixture
def aging(backends: Backends) -> Iterator[Backends]:
    """The three servers, which end each connection after a second."""
    for backend in backends.by_name.values():
        backend.stop()
        backend.start(max_connection_age_s=1, grace_s=1)
    yield backends
    for backend in backends.by_name.values():
        backend.close()


def test_connections_to_servers_of_a_limited_age(aging: Backends, proxy: Proxy, open_camera: OpenCamera) -> None:
    cameras = [open_camera(f"camera-{number}") for number in range(6)]
    ends = time.monotonic() + 6
    while time.monotonic() < ends:
        for camera in cameras:
            camera.ask()
    for camera in cameras:
        camera.assert_whole()
