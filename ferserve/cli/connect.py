"""Which client a command uses: one of a server, or one with an engine in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ferserve.cli import flags
from ferserve.errors import ConfigError

if TYPE_CHECKING:
    from ferserve.client import AsyncClient, Client
    from ferserve.config import Tls
    from ferserve.local import LocalClient


def connect(
    target: str | None,
    model: str | None,
    detector: str | None,
    device: str | None,
    config: Path | None,
    tls_ca: str | None,
    as_faces: bool = False,
) -> Client | LocalClient:
    """A client for pictures and videos: of the server ``target``, or without a server if it is None.

    ``as_faces`` says that whole pictures are sent as faces, for which no detector is needed. Raises
    :class:`ConfigError`.
    """
    if target is None:
        from ferserve.local import LocalClient

        require_no_tls(tls_ca)
        own = None if model and "," in model else model  # several are asked for by each call
        engine = flags.load(config, engine_model=own, engine_detector=detector, engine_device=device).engine
        if engine.detector == "none" and not as_faces:
            raise ConfigError(
                "--detector must be face-lite or yunet without --target, got none; the frames of a video are no faces: "
                "`ferserve classify` takes whole pictures as faces"
            )
        return LocalClient(engine)
    _require_absent({"--detector": detector, "--device": device})
    return connect_server(target, config, tls_ca)


def connect_server(target: str, config: Path | None, tls_ca: str | None) -> Client:
    """A client of the server ``target``; raises :class:`ConfigError`."""
    from ferserve.client import Client

    return Client(target, tls=flags.load(config, tls_ca=tls_ca).tls)


def connect_async(target: str, for_engine: Mapping[str, str | None], tls: Tls) -> AsyncClient:
    """A client of the server ``target`` for asyncio; raises :class:`ConfigError`, also for flags of an engine."""
    from ferserve.client import AsyncClient

    _require_absent(for_engine)
    return AsyncClient(target, tls=tls)


def _require_absent(for_engine: Mapping[str, str | None]) -> None:
    for flag, value in for_engine.items():
        if value is not None:
            raise ConfigError(f"{flag} must be left out with --target, got {value}; the server chooses it")


def require_no_tls(tls_ca: str | None) -> None:
    """Raises :class:`ConfigError` if ``--tls-ca`` came without ``--target``."""
    if tls_ca is not None:
        raise ConfigError(f"--tls-ca must come with --target, got {tls_ca}; name the server with --target HOST:PORT")


def asked_models(target: str | None, model: str | None) -> tuple[str, tuple[str, ...]]:
    """The model to ask for, and the models if there are several; see :func:`model_name`."""
    if model and "," in model:
        return "", tuple(model.split(","))
    return model_name(target, model), ()


def model_name(target: str | None, model: str | None) -> str:
    """The model to ask for; an engine in this process has ``model`` as its default already."""
    return (model or "") if target else ""
