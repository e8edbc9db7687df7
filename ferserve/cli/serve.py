"""``ferserve serve``."""

from __future__ import annotations

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
Workers: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="auto|N", help="Processes that share the port; auto, by default."),
]
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
LogLevel: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="debug|info|warning|error", help="Least level of log lines: info for streams, debug for every frame."
    ),
]
LogFormat: TypeAlias = Annotated[
    str | None, typer.Option(metavar="console|json", help="Log lines for people, or one JSON object per line.")
]
Profile: TypeAlias = Annotated[
    str | None, typer.Option(metavar="FILE", help="Write where the processor time went, for speedscope.app.")
]
AccessLog: TypeAlias = Annotated[bool, typer.Option("--access-log", help="Log every call when it ends.")]
Verbose: TypeAlias = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="As --log-level info; -vv as debug.")
]


_SERVER = (
    "host",
    "port",
    "uds",
    "workers",
    "cpus",
    "loop",
    "tls_cert",
    "tls_key",
    "log_level",
    "log_format",
    "profile",
)
_ENGINE = ("model", "model_dir", "model_repository", "detector", "device", "threads")


def command(
    context: typer.Context,
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
    model_repository: flags.ModelRepository = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    threads: Threads = None,
    web: Web = None,
    config: flags.ConfigFile = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    access_log: AccessLog = False,
    profile: Profile = None,
    verbose: Verbose = 0,
) -> None:
    """Serve the gRPC API until SIGINT or SIGTERM; a second signal stops at once.

    Further settings come from --config or the environment, as FERSERVE_<SECTION>_<KEY>.
    """
    given = {f"server_{name}": context.params[name] for name in _SERVER}
    given |= {f"engine_{name}": context.params[name] for name in _ENGINE}
    given |= {"server_web_port": web, "server_access_log": access_log or None}
    given["server_workers"] = "0" if workers == "auto" else workers
    given["server_log_level"] = log_level or (None, "info", "debug")[min(verbose, 2)]
    loaded = flags.load(config, **given)
    from ferserve.server.logs import log_to_stderr
    from ferserve.server.run import run

    server = loaded.server
    log_to_stderr(server.log_level, server.log_format, access=server.access_log)
    run(loaded, _page if loaded.server.web_port else None)


def _page(engine: Engine, config: ServerConfig) -> list[Startable]:
    """The page of ``engine``, on its own port."""
    from ferserve.web import WebServer

    return [WebServer(engine, config, config.web_port)]
