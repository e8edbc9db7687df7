"""Bearer tokens: made, told apart, and kept as digests only.

A token is ``ferserve_ID_SECRET``. The id finds its entry, so that a wrong token costs one comparison, however many
there are; the secret has 256 random bits, so that a plain SHA-256 of it cannot be turned around.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from ferserve.auth.identity import Role

_FORM = re.compile(r"ferserve_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_ID_BYTES, _SECRET_BYTES = 6, 32
NOBODY = hashlib.sha256(secrets.token_bytes(_SECRET_BYTES)).hexdigest()
"""A digest that no token has: an unknown id is compared too, so that time does not tell which ids exist."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token as its file keeps it."""

    id: str
    """12 hexadecimal digits."""
    name: str
    """Who holds it, as the operator calls them."""
    role: Role
    sha256: str
    """Of the secret, in hexadecimal digits."""
    created: str
    """When, in UTC: ``2026-11-28T13:30:00Z``."""


def new_secret() -> tuple[str, str, str]:
    """A new token's id, the digest of its secret, and the whole of it, which is shown once."""
    token_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    return token_id, _digest(secret), f"ferserve_{token_id}_{secret}"


def split(text: str) -> tuple[str, str] | None:
    """Id and secret of a token; None for any other text."""
    found = _FORM.fullmatch(text)
    return (found[1], found[2]) if found else None


def is_secret_of(secret: str, sha256: str) -> bool:
    """Compare in a time that says nothing about the digest."""
    return hmac.compare_digest(_digest(secret), sha256)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
