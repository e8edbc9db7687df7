"""What an attack is given, and the thread that it burns in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import h2.exceptions

from tests.fire.rude import RudeConnection


class Target:
    """The server under attack."""

    def __init__(self, address: str, pid: int) -> None:
        self.address = address
        self.pid = pid
        self._over = threading.Event()
        self._connections: list[RudeConnection] = []

    @property
    def burning(self) -> bool:
        """False once the attack has to end."""
        return not self._over.is_set()

    def pause(self, seconds: float) -> bool:
        """Wait, but not beyond the end of the attack; returns whether it still burns."""
        return not self._over.wait(seconds)

    def connect(self, **settings: Any) -> RudeConnection:
        """A connection with the ``settings`` of :class:`RudeConnection`; it is closed with the attack at the latest."""
        connection = RudeConnection(self.address, **settings)
        self._connections.append(connection)
        return connection

    def end(self) -> None:
        """Let the attack end."""
        self._over.set()

    def hang_up(self) -> None:
        """Close what the attack left open."""
        for connection in self._connections:
            connection.close()


Attack: TypeAlias = Callable[[Target], None]
"""Burns until ``target.burning`` is False; may raise what comes of a connection that the server closed."""


class Burning:
    """An attack in a thread of its own, from the entry of the context to its exit."""

    def __init__(self, attack: Attack, address: str, pid: int) -> None:
        self._attack = attack
        self._target = Target(address, pid)
        self._thread = threading.Thread(target=self._burn, daemon=True)
        self._error: BaseException | None = None

    def __enter__(self) -> Burning:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._target.end()
        self._thread.join(30)
        assert not self._thread.is_alive(), "an attack must end when target.burning is False"
        self._target.hang_up()
        if self._error is not None:
            raise self._error

    def _burn(self) -> None:
        try:
            self._attack(self._target)
        except (OSError, h2.exceptions.H2Error):
            pass  # the server hung up
        except BaseException as error:
            self._error = error
