"""``ferserve serve``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ferserve.cli import flags

if TYPE_CHECKING:
    from ferserve.config import ServerConfig
    from ferserve.engine import Engine
    from ferserve.server.lifecycle import Startable

Host: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Address to listen on; 0.0.0.0 for every interface.")
]
Port: TypeAlias = Annotated[int | None, typer.Option(metavar="PORT", help="TCP port; 0 for any free one.")]
Uds: TypeAlias = Annotated[str | None, typer.Option(metavar="PATH", help="Unix domain socket instead of TCP.")]
Workers: TypeAlias = Annotated[int | None, typer.Option(metavar="N", help="Processes that share the port.")]
Cpus: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="split|shared", help="Give each worker processors of its own, or let them share all."),
]
Loop: TypeAlias = Annotated[str | None, typer.Option(metavar="auto|asyncio|uvloop", help="Event loop.")]
TlsCert: TypeAlias = Annotated[str | None, typer.Option(metavar="FILE", help="Speak TLS with this certificate, PEM.")]
TlsKey: TypeAlias = Annotated[str | None, typer.Option(metavar="FILE", help="The certificate's private key, PEM.")]
Threads: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Threads per worker; 0 divides the processors.")
]
Web: TypeAlias = Annotated[
    int | None, typer.Option("--web", metavar="PORT", help="Serve a page and an API for web apps on this port too.")
]
Verbose: TypeAlias = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Log streams and refusals to stderr; -vv every frame too.")
]


def command(
    host: Host = None,
    port: Port = None,
    uds: Uds = None,
    workers: Workers = None,
    cpus: Cpus = None,
    loop: Loop = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    model: flags.Model = None,
    model_dir: flags.ModelDir = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    threads: Threads = None,
    web: Web = None,
    config: flags.ConfigFile = None,
    verbose: Verbose = 0,
) -> None:
    """Serve the gRPC API until SIGINT or SIGTERM; a second signal stops at once.

    Further settings come from --config or the environment, as FERSERVE_<SECTION>_<KEY>.
    """
    loaded = flags.load(
        config,
        server_host=host,
        server_port=port,
        server_uds=uds,
        server_workers=workers,
        server_cpus=cpus,
        server_loop=loop,
        server_tls_cert=tls_cert,
        server_tls_key=tls_key,
        server_web_port=web,
        engine_model=model,
        engine_model_dir=model_dir,
        engine_detector=detector,
        engine_device=device,
        engine_threads=threads,
    )
    from ferserve.server.logs import log_to_stderr
    from ferserve.server.run import run

    log_to_stderr((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    run(loaded, _page if loaded.server.web_port else None)


def _page(engine: Engine, config: ServerConfig) -> list[Startable]:
    """The page of ``engine``, on its own port."""
    from ferserve.web import WebServer

    return [WebServer(engine, config, config.web_port)]
