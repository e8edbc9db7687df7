"""Certificates for a test, and the authority that vouches for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Files:
    """PEM files: an authority, and a certificate of its with the key."""

    ca: str
    cert: str
    key: str

    @property
    def server(self) -> dict[str, str]:
        return {"tls_cert": self.cert, "tls_key": self.key}


def issue(folder: Path, name: str) -> Files:
    """A new authority, and what it vouches for: this machine."""
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    files = Files(*(str(folder / f"{name}-{part}.pem") for part in ("ca", "cert", "key")))
    authority.cert_pem.write_to_path(files.ca)
    leaf.private_key_pem.write_to_path(files.key)
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(files.cert, append=True)
    return files
