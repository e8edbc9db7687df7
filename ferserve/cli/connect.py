"""Who answers: a server, or an engine in this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ferserve.cli import flags
from ferserve.errors import ConfigError

if TYPE_CHECKING:
    from ferserve.client import Client
    from ferserve.local import LocalClient


def open_backend(
    target: str | None, model: str | None, detector: str | None, config: Path | None, tls_ca: str | None
) -> Client | LocalClient:
    """A context manager with ``classify``, ``stream``, ``models`` and ``model``; raises :class:`ConfigError`."""
    if target is None:
        from ferserve.local import LocalClient

        require_no_tls(tls_ca)
        engine = flags.load(config, engine_model=model, engine_detector=detector).engine
        if engine.detector == "none":
            raise ConfigError(
                "--detector must be face-lite or yunet without --target, got none; pictures and videos bring neither "
                "boxes nor crops: a client of `ferserve serve --detector none` can send them"
            )
        return LocalClient(engine)
    if detector is not None:
        raise ConfigError(f"--detector must be left out with --target, got {detector}; it is the server's to choose")
    return connect(target, config, tls_ca)


def connect(target: str, config: Path | None, tls_ca: str | None) -> Client:
    """The client of a server; raises :class:`ConfigError`."""
    from ferserve.client import Client

    return Client(target, tls=flags.load(config, tls_ca=tls_ca).tls)


def require_no_tls(tls_ca: str | None) -> None:
    """Without a server there is nobody to trust; raises :class:`ConfigError`."""
    if tls_ca is not None:
        raise ConfigError(f"--tls-ca must be left out without --target, got {tls_ca}; name the server that it is for")


def model_name(target: str | None, model: str | None) -> str:
    """What to ask the backend for: an engine in this process has ``model`` as its default already."""
    return (model or "") if target else ""
