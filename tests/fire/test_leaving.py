"""Clients that would keep a server from stopping."""

from __future__ import annotations

import pytest

from tests.fire.attack import Target
from tests.fire.measure import UnderFire
from tests.fire.rude import message


def deaf_watchers(target: Target) -> None:
    """Watchers of the health service that leave no room for its answers."""
    connections = [target.connect(initial_window=0) for _ in range(8)]
    for connection in connections:
        connection.send(connection.open("/grpc.health.v1.Health/Watch"), message(b""), end=True)
    while target.burning:
        for connection in connections:
            connection.poll(0.01)


@pytest.mark.fire
def test_deaf_watchers(under_fire: UnderFire) -> None:
    under_fire(deaf_watchers).assert_bars()
