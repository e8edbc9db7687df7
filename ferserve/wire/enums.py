"""Our enums and the numbers that stand for them in messages."""

from __future__ import annotations

from enum import Enum
from typing import Any, Generic, TypeVar

E = TypeVar("E", bound=Enum)


class EnumTable(Generic[E]):
    """Members of one enum by number and back, matched by name: ``GRAY8`` is ``PIXEL_FORMAT_GRAY8``."""

    def __init__(self, members: type[E], messages: Any, prefix: str) -> None:
        """``messages`` is the generated enum, ``prefix`` what its names begin with."""
        self._number_of: dict[E, Any] = {member: messages.Value(f"{prefix}_{member.name}") for member in members}
        self._member_of: dict[int, E] = {number: member for member, number in self._number_of.items()}

    def number(self, member: E) -> Any:
        """The number of ``member``; Any, because generated code types each enum's numbers apart."""
        return self._number_of[member]

    def get(self, number: int) -> E | None:
        """The member of ``number``; None if it is unspecified or of a newer version of the protocol."""
        return self._member_of.get(number)

    @property
    def names(self) -> str:
        """The names of all members, for messages."""
        return ", ".join(member.name for member in self._number_of)
