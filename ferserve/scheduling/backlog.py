"""The bound on what waits for a worker."""

from __future__ import annotations

import threading
from typing import Any

from ferserve.scheduling.turns import Flow

_FLOW_SHARE, _CLIENT_SHARE = 8, 16
"""How many times the room that is free a flow, and all flows of a client, may hold. So one flow alone gets 8/9, one
client 16/17, and others find room: dynamic thresholds, as in shared buffers of switches (Choudhury & Hahne 1998)."""


class Backlog:
    """Counts what waits for a worker, over all streams and calls, and refuses what is too many or too large."""

    def __init__(self, max_waiting: int, max_bytes: int) -> None:
        self._max_waiting, self._max_bytes = max_waiting, max_bytes
        self._waiting = self._bytes = 0
        self._lock = threading.Lock()

    def enter(self, flow: Flow[Any], size_bytes: int) -> bool:
        """Count one more of ``flow``; False if it must be refused. The first always finds room, whatever its size."""
        with self._lock:
            if self._waiting and not self._has_room(flow, size_bytes):
                return False
            self._waiting += 1
            self._bytes += size_bytes
            for holder in (flow, flow.client):
                holder.held += 1
                holder.held_bytes += size_bytes
            return True

    def _has_room(self, flow: Flow[Any], size_bytes: int) -> bool:
        free, free_bytes = self._max_waiting - self._waiting, self._max_bytes - self._bytes
        if free < 1 or size_bytes > free_bytes:
            return False
        return all(
            holder.held < share * free and holder.held_bytes + size_bytes <= share * free_bytes
            for holder, share in ((flow, _FLOW_SHARE), (flow.client, _CLIENT_SHARE))
        )

    def leave(self, flow: Flow[Any], size_bytes: int) -> None:
        """Count one less of ``flow``, of the size that it entered with."""
        with self._lock:
            self._waiting -= 1
            self._bytes -= size_bytes
            for holder in (flow, flow.client):
                holder.held -= 1
                holder.held_bytes -= size_bytes

    def holds(self) -> tuple[int, int]:
        """What waits: its number, and its bytes."""
        with self._lock:
            return self._waiting, self._bytes

    def __str__(self) -> str:
        return f"{self._max_waiting} and hold at most {self._max_bytes} bytes"
