"""Certificates that a client must not take: expired, self-signed, of another host, with another key."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme

from ferserve import AsyncClient, Tls, errors
from tests.serving.fixtures import StartServer


def _write(folder: Path, name: str, blobs: list[trustme.Blob]) -> str:
    path = folder / f"{name}.pem"
    path.write_bytes(b"".join(blob.bytes() for blob in blobs))
    return str(path)


def _server_files(folder: Path, leaf: trustme.LeafCert) -> dict[str, str]:
    return {
        "tls_cert": _write(folder, "cert", leaf.cert_chain_pems),
        "tls_key": _write(folder, "key", [leaf.private_key_pem]),
    }


WAYS_OUT = {
    "expired": r"certificate has expired.*see that it speaks TLS, and that tls\.ca vouches for its certificate",
    "self-signed": r"CERTIFICATE_VERIFY_FAILED.*see that it speaks TLS, and that tls\.ca vouches for its certificate",
    "wrong host": "its certificate does not name this host: call it by a name in it",
}


@pytest.mark.parametrize("kind", WAYS_OUT)
async def test_a_client_refuses_a_server_that_it_cannot_trust_and_sends_no_token(
    kind: str, start_server: StartServer, tmp_path: Path
) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    hosts = ("example.org",) if kind == "wrong host" else ("127.0.0.1", "localhost")
    past = datetime.now(timezone.utc) - timedelta(days=1) if kind == "expired" else None
    leaf = (theirs if kind == "self-signed" else ours).issue_cert(*hosts, not_after=past)
    address = await start_server(**_server_files(tmp_path, leaf))
    trusted = _write(tmp_path, "ca", [ours.cert_pem])
    async with AsyncClient(address, tls=Tls(trusted), token="secret", reconnect_s=0, timeout_s=20) as client:
        with pytest.raises(errors.ServerUnavailableError, match=WAYS_OUT[kind]):
            await client.models()


async def test_an_expired_certificate_of_a_client_is_refused(start_server: StartServer, tmp_path: Path) -> None:
    ca = trustme.CA()
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    (tmp_path / "client").mkdir()
    expired = ca.issue_cert("camera.example", not_after=yesterday)
    files = _server_files(tmp_path / "client", expired)
    trusted = _write(tmp_path, "ca", [ca.cert_pem])
    server = _server_files(tmp_path, ca.issue_cert("127.0.0.1", "localhost"))
    address = await start_server(**server, tls_client_ca=trusted)
    async with AsyncClient(address, tls=Tls(trusted, files["tls_cert"], files["tls_key"]), reconnect_s=0) as client:
        with pytest.raises(errors.ServerUnavailableError):
            await client.models()
