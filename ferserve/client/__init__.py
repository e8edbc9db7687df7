"""Clients of a ferserve server, blocking and asynchronous."""

from ferserve.client.asynchronous import AsyncClient
from ferserve.client.blocking import Client

__all__ = ["AsyncClient", "Client"]
