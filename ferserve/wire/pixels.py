"""Pixels that are left in the message that they came in: parsing one would copy them twice, on the event loop."""

from __future__ import annotations

import secrets
from typing import Final

_SECRET: Final = secrets.token_bytes(16)
"""No sender can guess it, so none can hand in a ticket of its own."""
_TICKET_BYTES: Final = len(_SECRET) + 4


class Pixels:
    """The large fields of one message, each exchanged for a ticket in the message that was parsed.

    The parser still decides which of several values counts, as that of one in a ``oneof``.
    """

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: list[memoryview] = []
        """Those that were deposited."""

    def deposit(self, field: memoryview) -> bytes:
        """Keep ``field``; returns the ticket for it."""
        self.fields.append(field)
        return _SECRET + len(self.fields).to_bytes(4, "big")

    def redeem(self, value: bytes) -> bytes | memoryview:
        """What was deposited for ``value``, or ``value`` itself if it is no ticket."""
        if len(value) != _TICKET_BYTES or not value.startswith(_SECRET):
            return value
        return self.fields[int.from_bytes(value[-4:], "big") - 1]

    def clear(self) -> None:
        """Forget the message, which would stay in memory for as long as its fields."""
        self.fields.clear()
