"""Clients of a ferserve server, blocking and asynchronous."""

from ferserve.client import fork as _fork  # noqa: F401, before gRPC is imported

# isort: split
from ferserve.client.asynchronous import AsyncClient
from ferserve.client.blocking import Client

__all__ = ["AsyncClient", "Client"]
