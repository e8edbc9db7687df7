"""The TCP connections of this process as the kernel knows them: gRPC shows none of them to Python.

Linux says of each socket how many bytes it has received, and lets its owner shut it down. So connections are counted by
address, and what gRPC holds of unfinished messages is measured.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import socket
import stat
import struct
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

Endpoint: TypeAlias = tuple[str, int]
"""Address and port of a peer."""

_FOLDER = "/proc/self/fd"
_INFO_BYTES = 136
_RECEIVED_AT = 128
"""Offset of ``tcpi_bytes_received`` in ``struct tcp_info``, since Linux 4.1."""
_MAPPED = "::ffff:"
"""Before an IPv4 address that a socket of IPv6 has accepted."""


@dataclass(frozen=True)
class Connection:
    """One established connection to a port of this process."""

    peer: Endpoint
    received_bytes: int
    """Bytes that gRPC has read from it."""
    inode: int
    """Its identity for as long as it lasts."""
    file: int
    """Its file descriptor at the moment of asking."""


def endpoint_of(peer: str) -> Endpoint | None:
    """Address and port in gRPC's name of a peer, such as ``ipv6:%5B::1%5D:40112``; None for a Unix domain socket."""
    scheme, _, address = unquote(peer).partition(":")
    host, _, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if scheme in ("ipv4", "ipv6") else None


def connections_to(ports: set[int]) -> Iterator[Connection]:
    """The connections that clients have to these TCP ports; none if the system does not tell."""
    try:
        names = os.listdir(_FOLDER)
    except OSError:  # no Linux, or no descriptor to spare at the moment
        return
    for name in names:
        with contextlib.suppress(OSError):  # closed meanwhile, or no TCP connection
            if connection := _connection(int(name), ports):
                yield connection


def hang_up(connection: Connection) -> None:
    """Shut a connection down, in both directions; its calls end as if the client had gone."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.file)) as own:
        if os.fstat(own.fileno()).st_ino == connection.inode:  # the descriptor may be another's by now
            own.shutdown(socket.SHUT_RDWR)


def _connection(file: int, ports: set[int]) -> Connection | None:
    status = os.fstat(file)
    if not stat.S_ISSOCK(status.st_mode):
        return None
    borrowed = socket.socket(fileno=file)
    try:
        if borrowed.family not in (socket.AF_INET, socket.AF_INET6) or borrowed.getsockname()[1] not in ports:
            return None
        host, port = borrowed.getpeername()[:2]
        info = borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        received = struct.unpack_from("=Q", info, _RECEIVED_AT)[0] if len(info) == _INFO_BYTES else 0
        unread = array.array("i", (0,))
        fcntl.ioctl(file, termios.FIONREAD, unread)
        return Connection((host.removeprefix(_MAPPED), port), received - unread[0], status.st_ino, file)
    finally:
        borrowed.detach()
