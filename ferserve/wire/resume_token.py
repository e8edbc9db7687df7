"""The sealed state of a stream, which its client carries from one server to another.

Little-endian: a header of fixed size, a column of heads, then the columns of :class:`Handover`, probabilities in
65535ths, then an HMAC-SHA256 of all before it. The content is no secret, the client knows it from its results; only who
has the key can write one.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from ferserve.types.handover import HEAD_BYTES, PLACE_COLUMNS, Handover, HeadValues

VERSION = 1
MAX_BYTES = 16 * 1024
"""A larger token is not read. One that would get larger goes without smoothing and calibration."""
MIN_KEY_BYTES = 32
OWNER_BYTES = 16
MAX_SKEW_S = 10.0
"""How far in the future a token may have been sealed, by another machine's clock."""

_HEADER = struct.Struct("<B4sQ16s8sQqqQIIBBHH")
_MAC_BYTES = hashlib.sha256().digest_size
_MAX_FACES = 255
_PROBABILITY = np.float32(65535)
_MAX_ID = 2**60


class Refusal(Enum):
    """Why a token does not count."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"  # truncated, too; of another version
    UNKNOWN_KEY = "unknown_key"
    FORGED = "forged"
    EXPIRED = "expired"  # or of the future
    FOREIGN = "foreign"  # of another stream or client


@dataclass(frozen=True, slots=True)
class Key:
    """One key, and by what tokens name it."""

    secret: bytes
    name: bytes

    @classmethod
    def of(cls, secret: bytes) -> Key:
        """The key of at least :data:`MIN_KEY_BYTES` secret bytes."""
        return cls(secret, hashlib.sha256(b"ferserve resume key " + secret).digest()[:4])


def owner_digest(stream_id: str, client: str, *, authenticated: bool) -> bytes:
    """Whose a token is: that of a stream's name, and of the client if somebody vouches for it."""
    owner = repr((stream_id, client if authenticated else None)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(owner, digest_size=OWNER_BYTES).digest()


def seal(handover: Handover, owner: bytes, key: Key, now_ms: int) -> bytes:
    """The token of a handover that was made at ``now_ms`` since 1970; empty if numbers are beyond its form."""
    if len(handover.track_ids) > _MAX_FACES or len(handover.heads) > _MAX_FACES:
        return b""
    try:
        body = _body(handover, owner, key, now_ms, places_alone=False)
        if len(body) > MAX_BYTES - _MAC_BYTES:
            body = _body(handover, owner, key, now_ms, places_alone=True)
    except (OverflowError, struct.error):
        return b""
    return body + hmac.digest(key.secret, body, "sha256")


def _body(handover: Handover, owner: bytes, key: Key, now_ms: int, *, places_alone: bool) -> bytes:
    ids, heads, labels = handover.track_ids, handover.heads, handover.labels
    filters, references = handover.filters, handover.references
    if places_alone:
        heads, labels, filters, references = [], [], [], []
    header = _HEADER.pack(
        VERSION,
        key.name,
        now_ms,
        owner,
        handover.settings,
        handover.frame_id,
        handover.now_ns,
        handover.capture_ns,
        handover.last_track_id,
        *handover.size,
        len(ids),
        len(heads),
        len(filters),
        len(references),
    )
    form = f"<{len(heads)}H{len(ids)}q{len(handover.places)}f"
    parts = [header, *heads, struct.pack(form, *labels, *ids, *handover.places)]
    if filters or references:
        parts.append(_entries([*filters, *references]))
    return b"".join(parts)


def _entries(entries: Sequence[HeadValues]) -> bytes:
    faces, heads, first, ages, values = zip(*entries, strict=True)
    numbers = struct.pack(f"<{2 * len(entries)}I", *first, *ages)
    return bytes(faces + heads) + numbers + (np.concatenate(values) * _PROBABILITY).astype("<u2").tobytes()


def unseal(token: bytes, owner: bytes, keys: Sequence[Key], now_ms: int, max_age_s: float) -> Handover | Refusal:
    """The handover in a token that one of ``keys`` sealed for this owner lately enough, or why it does not count."""
    if len(token) > MAX_BYTES:
        return Refusal.TOO_LARGE
    if len(token) < _HEADER.size + _MAC_BYTES or token[0] != VERSION:
        return Refusal.MALFORMED
    body, mac = token[:-_MAC_BYTES], token[-_MAC_BYTES:]
    header = _HEADER.unpack_from(body)
    named = [key for key in keys if key.name == header[1]]
    if not named:
        return Refusal.UNKNOWN_KEY
    if not any(hmac.compare_digest(hmac.digest(key.secret, body, "sha256"), mac) for key in named):
        return Refusal.FORGED
    age_s = (now_ms - header[2]) / 1000
    if not -MAX_SKEW_S <= age_s <= max_age_s:
        return Refusal.EXPIRED
    if not hmac.compare_digest(header[3], owner):
        return Refusal.FOREIGN
    try:
        return _handover(header, body, max(age_s, 0.0))
    except (ValueError, struct.error):
        return Refusal.MALFORMED


class _Reader:
    """Takes columns from the front of a token's body; raises ValueError or struct.error beyond its end."""

    def __init__(self, body: bytes, at: int) -> None:
        self._body, self._at = body, at

    def numbers(self, form: str) -> list[Any]:
        """Numbers in the form of :mod:`struct`."""
        values = struct.unpack_from(f"<{form}", self._body, self._at)
        self._at += struct.calcsize(f"<{form}")
        return list(values)

    def array(self, kind: str, count: int) -> Any:
        """An array of NumPy's ``kind``."""
        values = np.frombuffer(self._body, kind, count, self._at)
        self._at += values.nbytes
        return values

    def end(self) -> None:
        """Raises ValueError unless all was read."""
        _require(self._at == len(self._body))


def _handover(header: tuple[Any, ...], body: bytes, age_s: float) -> Handover:
    settings, frame_id, now_ns, capture_ns, last_id, width, height, faces, heads, filters, references = header[4:]
    reader = _Reader(body, _HEADER.size)
    digests = reader.numbers(f"{HEAD_BYTES}s" * heads)
    labels = reader.numbers(f"{heads}H")
    ids = reader.numbers(f"{faces}q")
    places = reader.numbers(f"{faces * PLACE_COLUMNS}f")
    _require(now_ns >= 0 and last_id <= _MAX_ID and all(0 < track_id <= last_id for track_id in ids))
    _require(len(set(ids)) == faces and len(set(digests)) == heads)
    _require(all(map(math.isfinite, places)))
    for i in range(0, len(places), PLACE_COLUMNS):
        x0, y0, x1, y1 = places[i : i + 4]
        _require(x1 > x0 and y1 > y0 and min(places[i + 9 : i + PLACE_COLUMNS]) >= 0)
    handover = Handover(
        frame_id, settings, now_ns, capture_ns, last_id, (width, height), ids, places, digests, labels, age_s=age_s
    )
    entries = _values(reader, filters + references, faces, labels)
    handover.filters, handover.references = entries[:filters], entries[filters:]
    _require(all(label < labels[head] for _, head, label, _, _ in handover.filters))
    _require(all(count > 0 for _, _, count, _, _ in handover.references))
    reader.end()
    return handover


def _values(reader: _Reader, count: int, faces: int, labels: Sequence[int]) -> list[HeadValues]:
    if not count:
        return []
    rows, heads = reader.numbers(f"{count}B"), reader.numbers(f"{count}B")
    first, ages = reader.numbers(f"{count}I"), reader.numbers(f"{count}I")
    _require(all(row < faces for row in rows) and all(head < len(labels) for head in heads))
    sizes = [labels[head] for head in heads]
    values = reader.array("<u2", sum(sizes)).astype(np.float32) / _PROBABILITY
    return list(zip(rows, heads, first, ages, np.split(values, np.cumsum(sizes)[:-1]), strict=True))


def _require(right: bool) -> None:
    if not right:
        raise ValueError("a token that this version did not write")
