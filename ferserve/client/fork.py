"""Forked processes. A fork copies no threads, so gRPC, once it was at work, hangs or crashes in the child."""

from __future__ import annotations

import os

from ferserve.errors import FerserveError

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
"""gRPC's own fork handlers start threads in the child, which crash it if the parent had a call under way. The variable
is read when gRPC is imported, so this module comes before."""


class _GrpcUse:
    """The process in which gRPC first opened a channel. Its threads live there, and in no forked child."""

    pid: int | None = None


def note_grpc_use() -> None:
    """Call before a channel is opened."""
    if _GrpcUse.pid is None:
        _GrpcUse.pid = os.getpid()


class ProcessGuard:
    """Remembers in which process it was made."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    @property
    def was_left(self) -> bool:
        """True in a child that was forked later: threads of the parent do not run here."""
        return os.getpid() != self._pid

    @property
    def is_foreign(self) -> bool:
        """True in a child that was forked later, and in one whose parent used gRPC before."""
        return self.was_left or _GrpcUse.pid not in (None, self._pid)

    def require_own(self) -> None:
        """Raises :class:`FerserveError` if :attr:`is_foreign`."""
        if self.is_foreign:
            raise FerserveError(
                f"client must be used in a process that was forked before its parent made a client, got process "
                f"{os.getpid()}, forked from {_GrpcUse.pid} after it made one; make clients after the fork, or start "
                "processes by multiprocessing's 'spawn' or 'forkserver'"
            )
