"""The token that a client shows."""

from __future__ import annotations

import os
from typing import Final

from ferserve.client.encoding import is_local
from ferserve.config import Tls
from ferserve.errors import ConfigError

TOKEN_VARIABLE: Final = "FERSERVE_TOKEN"


def settled_token(token: str | None, target: str, tls: Tls) -> str:
    """``token``, or that of the environment if it is None; empty for no token.

    Raises :class:`ConfigError`, which does not quote it, for text that cannot be a token, and for a token that all the
    network could read on its way to ``target``.
    """
    name = "token" if token is not None else TOKEN_VARIABLE
    text = (os.environ.get(TOKEN_VARIABLE, "") if token is None else token).strip()
    if not all("!" <= letter <= "~" for letter in text):
        raise ConfigError(f"{name} must be what `ferserve token add` printed, got text with other characters")
    if text and not tls.ca and not is_local(target):
        raise ConfigError(
            f"{name} must travel by TLS to another machine, got {target} in plain text; set tls.ca, or drop the token"
        )
    return text
