"""Exit codes of every command; 0 means done."""

from __future__ import annotations

from typing import Final

FAILED: Final = 1
"""Some inputs failed; the others were answered."""
USAGE: Final = 2
"""Wrong usage or configuration, or no server at the target."""
LOST: Final = 3
"""A camera, a stream or a recording stopped before its end and did not come back."""
INTERRUPTED: Final = 130
"""Ctrl-C before the end. It is the way to end a live source or a server, and then the code is 0."""
