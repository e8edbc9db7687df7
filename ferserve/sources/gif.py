"""GIFs that move: pictures to those who classify one, videos to those who stream it."""

from __future__ import annotations

_SCREEN_END, _FRAME_BYTES = 13, 10
_EXTENSION, _FRAME = 0x21, 0x2C


def is_animated(gif: bytes) -> bool:
    """True if ``gif`` is a GIF (GIF89a) with a second frame."""
    if not gif.startswith(b"GIF8"):
        return False
    frames = 0
    try:
        at = _SCREEN_END + _color_table_bytes(gif[10])
        while frames < 2 and gif[at] in (_EXTENSION, _FRAME):
            if gif[at] == _EXTENSION:
                at = _after_blocks(gif, at + 2)
            else:
                frames += 1
                at = _after_blocks(gif, at + _FRAME_BYTES + _color_table_bytes(gif[at + 9]) + 1)
    except IndexError:  # it is cut off
        pass
    return frames == 2


def _color_table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(gif: bytes, at: int) -> int:
    while gif[at]:
        at += 1 + gif[at]
    return at + 1
