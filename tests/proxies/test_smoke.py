"""One walk through each proxy: a stream keeps its server, a single call is answered, a killed server is left."""

from __future__ import annotations

import ferserve
from tests import builders
from tests.proxies.backends import Backends
from tests.proxies.conftest import OpenCamera
from tests.proxies.proxy import Proxy


def test_a_stream_goes_on_elsewhere_once_its_server_is_killed(
    proxy: Proxy, backends: Backends, open_camera: OpenCamera
) -> None:
    camera = open_camera("door")
    before = camera.server()
    assert {camera.server() for _ in range(5)} == {before}
    backends[before].kill()
    assert camera.server() != before
    with ferserve.Client(proxy.address) as client:
        assert client.classify(builders.jpeg(builders.astronaut())).ok
    camera.assert_whole()
