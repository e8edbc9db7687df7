"""The dates of a certificate, read from its DER: Python's ``ssl`` tells them of a peer's certificate only."""

from __future__ import annotations

import ssl
from datetime import datetime, timezone

_END = "-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME = 0x30, 0xA0, 0x17


def validity_note(pem: bytes, now: float) -> str:
    """What is wrong with the dates of the first certificate in ``pem`` at ``now`` (s since 1970); empty if nothing."""
    try:
        first = pem.decode("ascii", "ignore").partition("-----BEGIN CERTIFICATE-----")
        begins, ends = _validity(ssl.PEM_cert_to_DER_cert((first[1] + first[2]).partition(_END)[0] + _END))
    except (ValueError, IndexError):  # of a form that OpenSSL reads and this does not
        return ""
    if now >= ends.timestamp():
        return f"expired on {ends:%Y-%m-%d %H:%M} UTC"
    if now < begins.timestamp():
        return f"is not valid before {begins:%Y-%m-%d %H:%M} UTC"
    return ""


def _validity(der: bytes) -> tuple[datetime, datetime]:
    """The first and the last moment of a certificate (RFC 5280, section 4.1)."""
    _, certificate, _ = _element(der)
    _, body, _ = _element(certificate)
    if body[0] == _VERSION:
        body = _element(body)[2]
    for _ in range(3):  # serial number, signature algorithm, issuer
        body = _element(body)[2]
    tag, dates, _ = _element(body)
    if tag != _SEQUENCE:
        raise ValueError("no validity")
    first_tag, first, rest = _element(dates)
    last_tag, last, _ = _element(rest)
    return _time(first_tag, first), _time(last_tag, last)


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag and content of the first element, and what comes after it."""
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    return der[0], der[start : start + length], der[start + length :]


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 1950 to 2049
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
