"""Forked processes. A fork copies no threads, so gRPC, once it was at work, hangs or crashes in the child."""

from __future__ import annotations

import os
import sys
import warnings

from ferserve.client.greenlets import require_system_threads
from ferserve.errors import FerserveError

_HANDLES_FORKS = "grpc" in sys.modules and os.environ.get("GRPC_ENABLE_FORK_SUPPORT") != "0"
"""Whether gRPC was imported before it could be told not to."""

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
        if _HANDLES_FORKS:
            os.register_at_fork(before=_warn)


def _warn() -> None:
    if _GrpcUse.pid == os.getpid():
        warnings.warn(
            "the child of this fork may crash: gRPC was imported before ferserve's client, and handles forks itself; "
            "set GRPC_ENABLE_FORK_SUPPORT=0 in the environment, or import ferserve.Client before grpc",
            RuntimeWarning,
            stacklevel=2,
        )


class GrpcProcess:
    """The process of a client's first call. A client that made none before a fork may be used after it."""

    def __init__(self) -> None:
        self._pid: int | None = None

    @property
    def was_left(self) -> bool:
        """True in a child that was forked after the first call: threads of the parent do not run here."""
        return self._pid not in (None, os.getpid())

    @property
    def is_foreign(self) -> bool:
        """True in a child that was forked after the first call, of this client or of any other."""
        return self.was_left or _GrpcUse.pid not in (None, os.getpid())

    def enter(self) -> None:
        """Call before each use of gRPC.

        Raises :class:`FerserveError` if :attr:`is_foreign`, and :class:`ConfigError` without threads of the system.
        """
        self.require_own()
        require_system_threads()
        self._pid = os.getpid()

    def require_own(self) -> None:
        """Raises :class:`FerserveError` if :attr:`is_foreign`."""
        if self.is_foreign:
            raise FerserveError(
                f"client must be used in a process that was forked before its parent used a client, got process "
                f"{os.getpid()}, forked from {_GrpcUse.pid} after it used one; call clients after the fork alone, or "
                "start processes by multiprocessing's 'spawn' or 'forkserver'"
            )
