"""The command line: ``ferserve serve``, ``classify``, ``stream``, ``tune``, ``check``, ``models``, ``bench``."""

from ferserve.cli.app import main

__all__ = ["main"]
