"""The gRPC server."""

from ferserve.server.app import Server

__all__ = ["Server"]
