"""The flag ``--size`` of pictures."""

from __future__ import annotations

import re

from ferserve.errors import ConfigError


def parse_size(text: str) -> tuple[int, int]:
    """Width and height, px; raises :class:`ConfigError` for another form than ``WxH``."""
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if found is None:
        raise ConfigError(f"--size must be WxH in px, such as 640x480, got {text!r}")
    return int(found[1]), int(found[2])
