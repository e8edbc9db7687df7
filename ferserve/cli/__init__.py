"""The command line: ``ferserve serve``, ``classify``, ``stream``, ``check``, ``models``."""

from ferserve.cli.app import main

__all__ = ["main"]
