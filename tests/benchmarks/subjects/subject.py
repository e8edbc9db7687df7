"""What is measured: a subject, and the work that it makes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ferserve.bench.target import Target

Call = Callable[[], object]


@dataclass(frozen=True)
class Work:
    """Calls that are ready to be timed; each has run once and its answer was asserted."""

    ours: Call
    yardstick: Call | None = None
    """The same task as others do it, or the part of it that cannot be saved."""
    units: int = 1
    """Frames, crops or starts per call."""
    pids: tuple[int, ...] = ()
    """Other processes that work for the call, such as a server."""
    runs_on: str = ""
    """Runtime and provider of the model, if there is one."""
    threads: int = 1


@dataclass
class Room:
    """Where works are made; closing it ends what they started."""

    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @cached_property
    def server(self) -> Target:
        """A server with the default model, shared by every work of this room."""
        from ferserve.bench.target import open_target
        from ferserve.config import Config, ServerConfig

        return self.stack.enter_context(open_target("", Config(server=ServerConfig(port=0))))

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()


@dataclass(frozen=True)
class Subject:
    """One thing whose speed is kept; ``group: name`` is its title in every table and file."""

    group: str
    name: str
    make: Callable[[Room], Work]
    yardstick: str = ""
    """What the yardstick of the work is."""
    floor: float | None = None
    """Least ratio to the yardstick."""
    counted: str = ""
    """``C`` or ``Python``, whichever executes most of its instructions, if they are the same on every run."""
    heavy: bool = False
    """Left out of quick runs: it takes long, or says little that others do not."""

    @property
    def title(self) -> str:
        """Name in every table and file."""
        return f"{self.group}: {self.name}"

    def __str__(self) -> str:
        return self.name
