"""Clients of a ferserve server, blocking and asynchronous."""

from ferserve.client.asynchronous import AsyncClient
from ferserve.client.blocking import Client
from ferserve.client.model_description import ModelDescription

__all__ = ["AsyncClient", "Client", "ModelDescription"]
