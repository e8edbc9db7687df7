"""A session of a GPU that may fail: it is opened again once, and says when the GPU is gone for good."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from weakref import WeakSet

from ferserve.errors import DeviceError
from ferserve.runtime.base import Placement, Session, Tensor, trial_feeds

log = logging.getLogger(__name__)

_FAILURES = 2
"""Runs in a row that fail before the session is opened again: one may fail for want of memory."""
_WAY_OUT = "see nvidia-smi or tegrastats, then restart the server"


class ReopeningSession:
    """See :class:`ferserve.runtime.base.Session`. Every failure of a run is a :class:`DeviceError`.

    After two failures in a row the graph is opened again, once; if that fails, or the runs after it do, the device
    counts as lost, :func:`lost_devices` says so, and further runs fail at once. A run that succeeds clears the count.
    """

    def __init__(self, session: Session, open_again: Callable[[], Session]) -> None:
        """``open_again`` makes another session of the same graph on the same device, or raises."""
        self._session = session
        self._open_again = open_again
        self.inputs, self.outputs = session.inputs, session.outputs
        self.runs_on, self.uses_cpu = session.runs_on, session.uses_cpu
        self.max_rows_per_run = session.max_rows_per_run
        self._changing = threading.Lock()
        self._failures = 0
        self._was_reopened = False
        self.lost = ""
        """Why the device counts as lost, empty if it does not."""
        _sessions.add(self)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        """See :class:`ferserve.runtime.base.Session`."""
        return self._session.empty(shape, dtype)

    def placement(self) -> Placement:
        """See :class:`ferserve.runtime.base.Session`."""
        return self._session.placement()

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """See :class:`ferserve.runtime.base.Session`. Raises :class:`DeviceError`."""
        if self._failures >= _FAILURES:
            self._reopen()
        session = self._session
        try:
            answer = session.run(feeds)
        except Exception as error:  # native libraries raise what they like
            self._note_failure(session, error)
            raise _device_error(error) from None
        if self._failures or self._was_reopened:
            self._failures, self._was_reopened = 0, False
        return answer

    def run_first(self, feeds: Mapping[str, Tensor], limit_s: float) -> list[Tensor]:
        """See :class:`ferserve.runtime.base.Session`; a graph that cannot run is no failure of the device."""
        return self._session.run_first(feeds, limit_s)

    def _note_failure(self, session: Session, error: Exception) -> None:
        with self._changing:
            if session is not self._session or self.lost:  # it is news of a session that was given up
                return
            self._failures += 1
            if self._failures >= _FAILURES and self._was_reopened:
                self._lose(_reason(error))

    def _reopen(self) -> None:
        """Open the graph again, while further runs wait; raises :class:`DeviceError` if the device is lost."""
        with self._changing:
            if self._failures >= _FAILURES and not self.lost:
                log.error("%s failed %d times in a row; opening the model there again", self.runs_on, self._failures)
                try:
                    self._session = self._on_the_device()
                except Exception as error:  # native libraries raise what they like
                    self._lose(_reason(error))
                else:
                    self._failures, self._was_reopened = 0, True
        if self.lost:
            raise DeviceError(f"cannot run on the GPU: it is lost ({self.lost}); {_WAY_OUT}")

    def _on_the_device(self) -> Session:
        session = self._open_again()
        if session.uses_cpu:
            raise DeviceError(f"only {session.runs_on} answers")
        session.run(trial_feeds(session.inputs))
        return session

    def _lose(self, reason: str) -> None:
        self.lost = reason
        log.error("%s is lost: %s; health says NOT_SERVING. %s", self.runs_on, reason, _WAY_OUT.capitalize())


_sessions: WeakSet[ReopeningSession] = WeakSet()


def lost_devices() -> str:
    """Why a device that models of this process run on is lost; empty if none is."""
    return "; ".join(sorted({session.lost for session in list(_sessions)} - {""}))


def _device_error(error: Exception) -> DeviceError:
    if isinstance(error, DeviceError):
        return error
    return DeviceError(f"cannot run on the GPU: {_reason(error)}; {_WAY_OUT}")


def _reason(error: Exception) -> str:
    text = (str(error).splitlines() or [""])[0] or type(error).__name__
    return text.removeprefix("cannot run on the GPU: ").split("; see ")[0]
