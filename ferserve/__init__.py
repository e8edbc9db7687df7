"""ferserve: live facial-expression recognition as a service."""

from ferserve._version import __version__

__all__ = ["__version__"]
