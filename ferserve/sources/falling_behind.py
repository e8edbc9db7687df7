"""A decoder that is slower than its camera."""

from __future__ import annotations

WINDOW_S = 1.0
_LEAST_SHARE = 0.1
_WAIT_S = 0.005


class FallingBehind:
    """Says which packets of a live source to skip, so that a backlog in its buffers never grows.

    As long as decoding keeps up, reads wait for the sender. If they hardly waited during a second, frames pile up in
    the connection: then packets are skipped until a read waits again, for a second at most, and on to a key frame.
    """

    def __init__(self) -> None:
        self._window_end_s = 0.0
        self._waited_s = 0.0
        self._skipping_until_s = 0.0
        self._needs_key = False

    def skips(self, read_s: float, now_s: float, is_key: bool) -> bool:
        """Whether to skip a packet that took ``read_s`` to read, at ``now_s`` of a steady clock."""
        if self._skipping_until_s:
            if read_s < _WAIT_S and now_s < self._skipping_until_s:
                return True
            self._skipping_until_s, self._needs_key = 0.0, True
            self._begin_window(now_s)
        self._waited_s += read_s
        if not self._window_end_s:
            self._begin_window(now_s)
        elif now_s >= self._window_end_s:
            if self._waited_s < _LEAST_SHARE * (now_s - self._window_end_s + WINDOW_S):
                self._skipping_until_s = now_s + WINDOW_S
            self._begin_window(now_s)
        self._needs_key = self._needs_key and not is_key
        return self._needs_key or self._skipping_until_s > 0

    def _begin_window(self, now_s: float) -> None:
        self._window_end_s, self._waited_s = now_s + WINDOW_S, 0.0
