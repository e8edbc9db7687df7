"""The gRPC door to the engine."""

from ferserve.server.app import Server

__all__ = ["Server"]
