"""What a program writes to a terminal."""

from __future__ import annotations

import os


def read_terminal(leader: int) -> str:
    """Everything until the other side of ``leader``, of a pseudo-terminal, is closed; closes this side."""
    chunks = []
    try:
        while chunk := os.read(leader, 65536):
            chunks.append(chunk)
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(leader)
    return b"".join(chunks).decode(errors="replace")
