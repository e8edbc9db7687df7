"""Whether a recording was cut off, for containers whose frames no index counts.

Raw video has no container, and transport and program streams may end after any packet: there only a part of a packet
shows that more was there.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

_TAIL_BYTES = 1 << 18
"""More than the largest page of Ogg, and than a hundred packs of a program stream."""

_EBML_SEGMENT, _EBML_CLUSTER = 0x18538067, 0x1F43B675
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_FLV_TAG_HEADER_BYTES = 11
_OGG_LAST_PAGE = 0x04
_TS_SYNC = 0x47
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))
"""Bytes of a packet, and where in it the sync byte is."""


def is_cut_off(file: BinaryIO, container: str) -> bool:
    """True if ``file``, of the container that FFmpeg calls so, is shorter than it says; moves its position."""
    check = _CHECKS.get(container)
    size = file.seek(0, io.SEEK_END)
    return check is not None and check(file, size)


def _matroska(file: BinaryIO, size: int) -> bool:
    """Walks the elements (RFC 8794); those of live recordings do not know their length, so it goes on inside them."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        if not head[0]:
            return False  # no element
        id_bytes = 9 - head[0].bit_length()
        if len(head) <= id_bytes or not head[id_bytes]:
            return len(head) < 12
        length_bytes = 9 - head[id_bytes].bit_length()
        at += id_bytes + length_bytes
        mask = (1 << 7 * length_bytes) - 1
        length = int.from_bytes(head[id_bytes : id_bytes + length_bytes], "big") & mask
        if length != mask:
            at += length
        elif int.from_bytes(head[:id_bytes], "big") not in (_EBML_SEGMENT, _EBML_CLUSTER):
            return False
    return at > size


def _transport_stream(file: BinaryIO, size: int) -> bool:
    """A last packet that is not whole (ISO/IEC 13818-1)."""
    tail = _tail(file, size)
    for packet, sync in _TS_PACKETS:
        for rest in range(min(packet, len(tail) - 5 * packet)):
            starts = [len(tail) - rest - packet * back + sync for back in range(1, 6)]
            if all(tail[start] == _TS_SYNC for start in starts):
                return rest > sync and tail[len(tail) - rest + sync] == _TS_SYNC
    return False


def _program_stream(file: BinaryIO, size: int) -> bool:
    """Walks the last packs (ISO/IEC 13818-1, 2.5.3)."""
    tail = _tail(file, size)
    at = tail.find(b"\0\0\1\xba")
    while 0 <= at < len(tail):
        if not tail.startswith(b"\0\0\1", at) or tail[at : at + 4] == b"\0\0\1\xb9":
            return False
        head = tail[at : at + 14]
        if head[3:4] == b"\xba":
            at += 14 + (head[13] & 7) if len(head) == 14 and head[4] >> 6 == 1 else 12
        else:
            at += 6 + int.from_bytes(head[4:6], "big")
    return at > len(tail)


def _flash(file: BinaryIO, size: int) -> bool:
    """The last four bytes are the size of the tag before them, with or without its header."""
    file.seek(max(size - 4, 0))
    tag_bytes = int.from_bytes(file.read(4), "big")
    for header in (0, _FLV_TAG_HEADER_BYTES):
        start = size - 4 - tag_bytes - header
        if start >= 0:
            file.seek(start)
            tag = file.read(4)
            if int.from_bytes(tag[1:], "big") == tag_bytes + header - _FLV_TAG_HEADER_BYTES:
                return False
    return True


def _ogg(file: BinaryIO, size: int) -> bool:
    """The last page is marked (RFC 3533)."""
    tail = _tail(file, size)
    page = tail[max(tail.rfind(b"OggS\0"), 0) :]
    if len(page) < 27:
        return True
    segments = page[27 : 27 + page[26]]
    whole = len(segments) == page[26] and len(page) >= 27 + len(segments) + sum(segments)
    return not (whole and page[5] & _OGG_LAST_PAGE)


def _asf(file: BinaryIO, size: int) -> bool:
    """The header tells the size of the file, unless it was broadcast."""
    file.seek(0)
    head = file.read(_TAIL_BYTES)
    properties = head[max(head.find(_ASF_FILE_PROPERTIES), 0) :]
    broadcast = len(properties) < 92 or properties[88] & 1
    return not broadcast and int.from_bytes(properties[40:48], "little") > size


def _motion_jpeg(file: BinaryIO, size: int) -> bool:
    """The last JPEG has its end marker."""
    return not _tail(file, size).rstrip(b"\0\r\n").endswith(b"\xff\xd9")


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(size - _TAIL_BYTES, 0))
    return file.read(_TAIL_BYTES)


_CHECKS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "matroska,webm": _matroska,
    "mpegts": _transport_stream,
    "mpeg": _program_stream,
    "flv": _flash,
    "ogg": _ogg,
    "asf": _asf,
    "mjpeg": _motion_jpeg,
}
