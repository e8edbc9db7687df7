"""Servers that stop, die, hang or slow down, and what becomes of their streams and of those of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ferserve
from tests import builders
from tests.proxies.backends import NAMES, Backends
from tests.proxies.camera import Camera
from tests.proxies.conftest import OpenCamera
from tests.proxies.proxy import Proxy
from tests.proxies.slow_link import SlowLink

pytestmark = pytest.mark.proxies
CAMERAS = 9


@pytest.fixture
def cameras(open_camera: OpenCamera) -> list[Camera]:
    """Some on each server."""
    cameras = [open_camera(f"camera-{number}") for number in range(CAMERAS)]
    assert {camera.server() for camera in cameras} == set(NAMES)
    return cameras


def _places(cameras: list[Camera]) -> dict[str, str]:
    return {camera.stream_id: camera.server() for camera in cameras}


def _assert_moved(cameras: list[Camera], before: dict[str, str], gone: str, since: int = 0) -> None:
    """The streams of the server that is gone are answered elsewhere; the others were not touched ``since`` a frame."""
    after = _places(cameras)
    for camera in cameras:
        if before[camera.stream_id] == gone:
            assert after[camera.stream_id] != gone
        else:
            assert after[camera.stream_id] == before[camera.stream_id]
            assert not any(result.tracks_lost for result in camera.results[since:])
        camera.assert_whole()


def test_a_killed_server(backends: Backends, proxy: Proxy, cameras: list[Camera]) -> None:
    before = _places(cameras)
    for camera in cameras:
        camera.film(3)
    backends["b"].kill()
    _assert_moved(cameras, before, "b")
    proxy.wait_for("a", "c")


def test_a_drained_server(backends: Backends, proxy: Proxy, cameras: list[Camera]) -> None:
    before = _places(cameras)
    for camera in cameras:
        camera.film(3)
    assert backends["b"].stop() == 0
    _assert_moved(cameras, before, "b")


def test_a_rolling_update_leaves_no_accepted_frame_unanswered(
    backends: Backends, proxy: Proxy, cameras: list[Camera]
) -> None:
    picture = builders.jpeg(builders.astronaut())
    with ferserve.Client(proxy.address) as client:
        for name in NAMES:
            for camera in cameras:
                camera.film(5)
            assert backends[name].stop() == 0
            assert client.classify(picture).ok
            backends[name].start()
            proxy.wait_for(*NAMES)
            assert client.classify(picture).ok
    for camera in cameras:
        camera.ask()
        camera.assert_whole()


def test_a_server_that_hangs_is_left_and_taken_back(backends: Backends, proxy: Proxy, cameras: list[Camera]) -> None:
    for name in "ab":
        before, since = _places(cameras), cameras[0].sent
        backends[name].freeze()
        for camera in cameras:
            camera.film(3)
        proxy.wait_for(*set(NAMES) - {name})
        _assert_moved(cameras, before, name, since)
        backends[name].thaw()
        proxy.wait_for(*NAMES)


@pytest.fixture
def link(backends: Backends) -> Iterator[SlowLink]:
    with SlowLink(backends["b"].port) as link:
        yield link


def test_a_server_that_answers_too_late_is_left_and_taken_back(
    kind: type[Proxy], backends: Backends, link: SlowLink, tmp_path: Path
) -> None:
    ports = {name: backend.port for name, backend in backends.by_name.items()} | {"b": link.port}
    with kind(tmp_path, ports) as proxy:
        proxy.wait_for(*NAMES)
        link.delay_s = 4
        proxy.wait_for("a", "c")
        with ferserve.Client(proxy.address) as client:
            answers = {client.classify(builders.jpeg(builders.astronaut())).model_version for _ in range(20)}
        assert answers == {"a", "c"}
        link.delay_s = 0
        proxy.wait_for(*NAMES)
