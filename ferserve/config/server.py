"""The server's settings."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ferserve.addresses import is_loopback
from ferserve.config.checks import check, check_needs

MAX_MESSAGE_BYTES = 2**31 - 1
"""gRPC counts in 32 bits."""
_LOOPS = ("auto", "asyncio", "uvloop")
_CPUS = ("split", "shared")
_LOGS = {"log_level": ("debug", "info", "warning", "error"), "log_format": ("console", "json")}
_INSTANCE = re.compile(r"[A-Za-z0-9._:/@-]{0,100}")
_ORIGIN = re.compile(r"https?://[a-z0-9.:\[\]-]+")


@dataclass(frozen=True)
class ServerConfig:
    """Addresses and limits of the server."""

    host: str = "127.0.0.1"
    """Address to listen on; ``0.0.0.0`` for every interface."""
    port: int = 50051
    """TCP port; 0 lets the system choose, and the ready line prints the choice."""
    uds: str = ""
    """Path of a Unix domain socket that replaces TCP, for clients on the same machine."""
    workers: int = 0
    """Processes that share the port, each with its own engine and ``engine.threads``; 0 chooses: one process per two
    processors, as far as memory allows, and one for a Unix socket, the page, or a GPU."""
    worker_ports: int = 0
    """First of as many TCP ports as there are workers: worker N listens on this port + N too, with the same services,
    certificates and health, so that a proxy can choose a worker. No stream is sent on to another worker then; 0 for no
    such ports."""
    instance: str = ""
    """What clients and proxies are told of where a call was answered, before ``:`` and the number of the worker; empty
    for the name of the machine."""
    cpus: str = "split"
    """Placement of several workers: ``split`` pins each to its share of the processors, so that its threads share a
    cache and event loops do not interrupt models; ``shared`` leaves placement to the system."""
    loop: str = "auto"
    """Event loop: ``asyncio``, ``uvloop``, or ``auto`` for uvloop if it is installed."""
    max_message_bytes: int = 0
    """Largest message that the server accepts; 0 for one that holds any frame of ``engine.max_pixels``, but at most
    64 MiB: 22 megapixels of BGR, or any JPEG. gRPC holds a message until it is whole."""
    receive_timeout_s: float = 30.0
    """Longest time in which the message of a single call, or the config of a stream, has to arrive: 20 MB at 6 Mbit/s.
    """
    max_receiving_bytes: int = 192 * 1024 * 1024
    """Most bytes of messages that have begun to arrive, over all clients; at least one of the largest size fits. The
    calls of the connection that holds the most are refused first."""
    max_receiving_bytes_per_client: int = 128 * 1024 * 1024
    """Most bytes of messages that have begun to arrive, per client address."""
    max_connections: int = 1000
    """Most connections; fewer if the system allows the process fewer open files."""
    max_connections_per_client: int = 250
    """Most connections per client address; further ones are closed."""
    max_connection_idle_s: float = 300.0
    """How long a connection without calls stays open; 0 for ever. gRPC's clients come back by themselves."""
    max_connection_age_s: float = 0.0
    """How long a connection may live, give or take a tenth; then its streams get ``grace_s`` to end, and must be
    reopened. 0 for ever: a camera's connection lives as long as the camera."""
    max_calls_per_client: int = 512
    """Most calls in flight per client: single calls, streams and health watchers."""
    max_calls_per_s_per_client: float = 0.0
    """Most calls that a client may begin per second; a second's worth may come at once. Frames of a stream are not
    calls. 0 for any number."""
    max_bytes_per_s_per_client: float = 0.0
    """Most bytes of messages that are read from a client per second; beyond, it has to wait, and its frames with it.
    0 for any number."""
    max_streams_per_client: int = 64
    """Most open streams per client address."""
    max_pending_results: int = 64
    """Most unread results per stream; a client that does not read them sends no further frames."""
    grace_s: float = 5.0
    """Time for frames in flight to finish when the server stops. The process is gone one second later at the latest."""
    stall_s: float = 5.0
    """Health says NOT_SERVING once all worker threads have been busy with the same work for this long, s; 0 turns it
    off. The largest frame takes one second or so."""
    loop_lag_ms: float = 100.0
    """A lag of the event loop beyond this one is logged (``-v``); every call waits for as long."""
    worker_timeout_s: float = 2.0
    """A worker that does not answer its supervisor for this long, or stalls, is killed and started again, s. An event
    loop under load answers within tens of ms."""
    tls_cert: str = ""
    """PEM file with the server's certificate chain. With ``tls_key``, clients must use TLS. Reloaded on change."""
    tls_key: str = ""
    """PEM file with the private key of ``tls_cert``, without a password."""
    tls_client_ca: str = ""
    """PEM file with authorities; clients must present a certificate of one of them."""
    token_file: str = ""
    """File of the tokens that clients may show, made by ``ferserve token add``. With it, each call but health checks
    needs a token or a certificate of ``tls_client_ca``. Read again once it changes; a call with a token that was
    revoked ends within a second."""
    resume_key_file: str = ""
    """File of keys that several servers share, one per line in hex, to go on with each other's streams: the first one
    seals resume tokens, all are accepted. Read again once it changes; empty for no resume tokens."""
    resume_max_age_s: float = 60.0
    """How old a resume token may be. The clocks of the servers must agree to within ten seconds."""
    resume_every: int = 1
    """Results with a resume token: every this many answered frames; the tracks and smoothing of those since are lost
    with their server."""
    otlp_endpoint: str = ""
    """Where traces go: ``http://HOST:PORT`` of an OpenTelemetry collector that speaks OTLP over gRPC, usually at 4317,
    or over HTTP, at 4318, if ``OTEL_EXPORTER_OTLP_PROTOCOL`` is ``http/protobuf``; empty for what
    ``OTEL_EXPORTER_OTLP_ENDPOINT`` says. Needs the extra ``otel``."""
    trace_ratio: float = 0.01
    """Share of the calls that are traced, 0 to 1. A caller that traces decides for its own, ``OTEL_TRACES_SAMPLER`` for
    all."""
    trace_frames: int = 100
    """Every this many frames of a traced stream become an event of its span; the first one does."""
    log_level: str = "warning"
    """Least level of our own log lines on stderr: ``debug`` (every frame), ``info`` (streams and refusals),
    ``warning`` or ``error``."""
    log_format: str = "console"
    """Form of log lines: ``console`` for people, ``json`` for one JSON object per line."""
    access_log: bool = False
    """Whether each call gets a log line when it ends."""
    profile: str = ""
    """File for where the processor time went, written at the end; https://www.speedscope.app opens it. Each of several
    workers writes its own, with its number before the suffix."""
    admin: bool = False
    """Whether calls that change or inspect the server are served: loading and unloading of models (``ferserve models
    load --target``), and channelz, which shows the connections of all clients; they need the role admin. Without tokens
    and client certificates every caller has it, so the server must then listen on this machine alone."""
    admin_certificates: str = ""
    """Names in client certificates, separated by commas, whose holders have the role admin; all others have use."""
    model_poll_s: float = 0.0
    """How often ``engine.model_repository`` is looked through for changes, s; one is taken up once it has not changed
    further for as long; at most ten times per second. 0 for never."""
    health_port: int = 0
    """TCP port of a second health service without TLS, for probes that cannot use TLS; 0 for no such port."""
    metrics_port: int = 0
    """TCP port of ``http://HOST:PORT/metrics`` for Prometheus, in plain text, on ``host``; 0 for no such port."""
    web_port: int = 0
    """TCP port of the page and its API for web apps, with the same certificates; 0 for no page. Needs the extra
    ``web``."""
    web_origins: str = ""
    """Origins of other sites whose scripts may call the page's API, such as ``https://app.example``, separated by
    commas; empty for the page alone."""

    def __post_init__(self) -> None:
        check("server.port", self.port, 0 <= self.port <= 65535, "from 0 to 65535")
        check("server.workers", self.workers, 0 <= self.workers <= 256, "from 0 to 256")
        check("server.loop", self.loop, self.loop in _LOOPS, f"one of {', '.join(_LOOPS)}")
        check("server.cpus", self.cpus, self.cpus in _CPUS, f"one of {', '.join(_CPUS)}")
        check("server.uds", self.uds, not (self.uds and self.workers > 1), "empty if server.workers is above 1")
        check(
            "server.max_message_bytes",
            self.max_message_bytes,
            self.max_message_bytes == 0 or 1024 <= self.max_message_bytes <= MAX_MESSAGE_BYTES,
            f"0 or from 1024 to {MAX_MESSAGE_BYTES}",
        )
        check("server.receive_timeout_s", self.receive_timeout_s, self.receive_timeout_s > 0, "above 0 s")
        limits = (
            "max_receiving_bytes",
            "max_receiving_bytes_per_client",
            "max_streams_per_client",
            "max_pending_results",
        )
        for name in limits:
            check(f"server.{name}", getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("max_connections", "max_connections_per_client", "max_calls_per_client"):
            check(f"server.{name}", getattr(self, name), 1 <= getattr(self, name) <= 1_000_000, "from 1 to 1000000")
        for name in ("max_calls_per_s_per_client", "max_bytes_per_s_per_client"):
            check(f"server.{name}", getattr(self, name), 0 <= getattr(self, name) <= 1e12, "from 0 to 1e12")
        for name in ("max_connection_idle_s", "max_connection_age_s"):
            check(f"server.{name}", getattr(self, name), 0 <= getattr(self, name) <= 2_000_000, "from 0 to 2000000 s")
        for name in ("grace_s", "model_poll_s"):
            check(f"server.{name}", getattr(self, name), 0 <= getattr(self, name) <= 86_400, "from 0 to 86400 s")
        check("server.loop_lag_ms", self.loop_lag_ms, 0 < self.loop_lag_ms <= 60_000, "above 0, up to 60000 ms")
        check("server.stall_s", self.stall_s, 0 <= self.stall_s <= 3600, "from 0 to 3600 s")
        timeout_s = self.worker_timeout_s
        check("server.worker_timeout_s", timeout_s, 0.5 <= timeout_s <= 3600, "from 0.5 to 3600 s")
        self._check_trust()
        check("server.trace_ratio", self.trace_ratio, 0 <= self.trace_ratio <= 1, "from 0 to 1")
        check("server.trace_frames", self.trace_frames, self.trace_frames >= 1, "at least 1")
        for name, known in _LOGS.items():
            check(f"server.{name}", getattr(self, name), getattr(self, name) in known, f"one of {', '.join(known)}")
        self._check_whereabouts()
        self._check_page()

    def _check_whereabouts(self) -> None:
        used = [("server.port", self.port)]
        for name in ("health_port", "metrics_port", "web_port"):
            port = getattr(self, name)
            free = port == 0 or port not in [other for _, other in used]
            others = " and ".join(name for name, _ in used)
            check(f"server.{name}", port, 0 <= port <= 65535 and free, f"from 0 to 65535 and other than {others}")
            used.append((f"server.{name}", port))
        instance = self.instance
        check("server.instance", instance, bool(_INSTANCE.fullmatch(instance)), "up to 100 letters, digits and ._:/@-")
        self._check_worker_ports([port for _, port in used])

    def _check_worker_ports(self, others: list[int]) -> None:
        first, count = self.worker_ports, max(self.workers, 1)
        own = range(first, first + count)
        free = first >= 1 and own[-1] <= 65535 and not any(port in own for port in others) and not self.uds
        expected = f"0, or the first of {count} ports up to 65535 that are no other's, without server.uds"
        check("server.worker_ports", first, first == 0 or free, expected)

    def _check_page(self) -> None:
        page_alone = not (self.web_port and self.workers > 1)
        check(
            "server.web_port",
            self.web_port,
            page_alone,
            "0 if server.workers is above 1; run `ferserve web --target` beside the workers",
        )
        origins = [origin.strip() for origin in self.web_origins.split(",") if origin.strip()]
        wellformed = all(_ORIGIN.fullmatch(origin) for origin in origins)
        check("server.web_origins", self.web_origins, wellformed, "origins such as https://app.example, with commas")

    def _check_trust(self) -> None:
        check("server.resume_every", self.resume_every, self.resume_every >= 1, "at least 1")
        age_s = self.resume_max_age_s
        check("server.resume_max_age_s", age_s, 0 < age_s <= 86_400, "above 0, up to 86400 s")
        check_needs("server.tls_cert", self.tls_cert, "server.tls_key", self.tls_key)
        check_needs("server.tls_key", self.tls_key, "server.tls_cert", self.tls_cert)
        check_needs("server.tls_client_ca", self.tls_client_ca, "server.tls_cert", self.tls_cert)
        knows_callers = bool(self.token_file or self.tls_client_ca or self.uds or is_loopback(self.host))
        expected = "false unless callers are known; set server.token_file or server.tls_client_ca, or host 127.0.0.1"
        check("server.admin", self.admin, knows_callers or not self.admin, expected)
        admins, ca = self.admin_certificates, self.tls_client_ca
        check_needs("server.admin_certificates", admins, "server.tls_client_ca", ca)
