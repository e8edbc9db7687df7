"""The dates of certificates, against those that they were made with."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
import trustme

from ferserve.wire.certificates import validity_note

BEGINS = datetime(2024, 3, 1, 12, 30, tzinfo=timezone.utc)


def _pem(ends: datetime) -> bytes:
    issued = trustme.CA().issue_cert("localhost", not_before=BEGINS, not_after=ends)
    return b"".join(blob.bytes() for blob in issued.cert_chain_pems)


@pytest.mark.parametrize("ends", [datetime(2024, 9, 1, 8, 5), datetime(2049, 12, 31, 23, 59), datetime(2051, 1, 1)])
def test_a_certificate_is_good_between_its_dates(ends: datetime) -> None:
    """From 2050 on, dates have another form."""
    ends = ends.replace(tzinfo=timezone.utc)
    pem, second = _pem(ends), timedelta(seconds=1)
    assert validity_note(pem, BEGINS.timestamp()) == ""
    assert validity_note(pem, (ends - second).timestamp()) == ""
    assert validity_note(pem, (BEGINS - second).timestamp()) == "is not valid before 2024-03-01 12:30 UTC"
    assert validity_note(pem, ends.timestamp()) == f"expired on {ends:%Y-%m-%d %H:%M} UTC"


def test_text_before_the_certificate_and_others_behind_it_do_not_count() -> None:
    pem = b"subject=CN = localhost\n" + _pem(BEGINS + timedelta(days=1)) + _pem(BEGINS + timedelta(days=9))
    assert validity_note(pem, (BEGINS + timedelta(days=2)).timestamp()) == "expired on 2024-03-02 12:30 UTC"


@pytest.mark.parametrize("pem", [b"", b"\xff", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_has_no_note(pem: bytes) -> None:
    assert validity_note(pem, 0.0) == ""
