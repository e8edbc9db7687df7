"""``ferserve serve``."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from ferserve.cli import flags


def command(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on; 0.0.0.0 for every interface.")
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", help="TCP port; 0 for any free one.")] = None,
    uds: Annotated[str | None, typer.Option(metavar="PATH", help="Unix domain socket instead of TCP.")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Processes that share the port.")] = None,
    cpus: Annotated[
        str | None,
        typer.Option(metavar="split|shared", help="Give each worker processors of its own, or let them share all."),
    ] = None,
    loop: Annotated[str | None, typer.Option(metavar="auto|asyncio|uvloop", help="Event loop.")] = None,
    tls_cert: Annotated[str | None, typer.Option(metavar="FILE", help="Speak TLS with this certificate, PEM.")] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="The certificate's private key, PEM.")] = None,
    model: flags.Model = None,
    model_dir: flags.ModelDir = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads per worker; 0 divides the processors.")
    ] = None,
    config: flags.ConfigFile = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more, to stderr.")] = False,
) -> None:
    """Serve the gRPC API until SIGINT or SIGTERM; a second signal stops at once.

    Further settings come from --config or the environment, as FERSERVE_<SECTION>_<KEY>.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
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
        engine_model=model,
        engine_model_dir=model_dir,
        engine_detector=detector,
        engine_device=device,
        engine_threads=threads,
    )
    from ferserve.server.run import run

    run(loaded)
