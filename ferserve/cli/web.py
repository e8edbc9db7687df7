"""``ferserve web``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ferserve.cli import flags

if TYPE_CHECKING:
    from ferserve.client import AsyncClient
    from ferserve.config import ServerConfig
    from ferserve.engine import Engine
    from ferserve.server.exit_deadline import ExitDeadline

Host: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Address to listen on; 0.0.0.0 for every interface.")
]
Port: TypeAlias = Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="TCP port; 0 for any free one.")]
Demo: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="VIDEO", exists=True, dir_okay=False, help="Video that the page offers in place of a camera."),
]
Verbose: TypeAlias = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Log refusals to stderr.")]


def command(
    host: Host = None,
    port: Port = 8080,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    demo: Demo = None,
    model: flags.Model = None,
    model_dir: flags.ModelDir = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    config: flags.ConfigFile = None,
    verbose: Verbose = 0,
) -> None:
    """Serve a page that shows what faces in pictures, in a camera or in a video express, until Ctrl-C.

    Cameras need https, or a page on this machine; certificates come from server.tls_cert and server.tls_key.
    """
    from ferserve.cli.connect import connect_async, require_no_tls
    from ferserve.engine import Engine
    from ferserve.server.exit_deadline import MARGIN_S, leaving_on_time
    from ferserve.server.logs import log_to_stderr
    from ferserve.server.loop import run_in_loop

    loaded = flags.load(
        config,
        server_host=host,
        engine_model=model,
        engine_model_dir=model_dir,
        engine_detector=detector,
        engine_device=device,
        tls_ca=tls_ca,
    )
    log_to_stderr("info" if verbose else loaded.server.log_level, loaded.server.log_format)
    with contextlib.ExitStack() as stack:
        deadline = stack.enter_context(leaving_on_time(loaded.server.grace_s + MARGIN_S))
        if target is None:
            require_no_tls(tls_ca)
            answers: Engine | AsyncClient = stack.enter_context(Engine(loaded.engine))
        else:
            answers = connect_async(target, {"--detector": detector, "--device": device, "--model": model}, loaded.tls)
        run_in_loop(_serve(answers, loaded.server, port, demo, deadline), loaded.server.loop)


async def _serve(
    answers: Engine | AsyncClient, config: ServerConfig, port: int, demo: Path | None, deadline: ExitDeadline
) -> None:
    from ferserve.server.announcements import announce, warn_of_plain_text
    from ferserve.server.lifecycle import STOP_SIGNALS, serve_until_signal
    from ferserve.web import WebServer

    def show(address: str) -> None:
        announce(f"ferserve page on {address}")

    warn_of_plain_text(config)
    await serve_until_signal(WebServer(answers, config, port, demo_clip=demo), STOP_SIGNALS, show, deadline)
