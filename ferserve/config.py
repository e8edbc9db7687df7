"""Deployment choices as frozen dataclasses; :mod:`ferserve.config_sources` reads them.

Facts about weights are not configuration; they live in :mod:`ferserve.models.spec`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ferserve.errors import ConfigError

Device = Literal["auto", "cpu", "cuda", "tensorrt"]


def _check(name: str, value: Any, ok: bool, expected: str) -> None:
    if not ok:
        raise ConfigError(f"{name} must be {expected}, got {value!r}")


def _check_needs(name: str, value: str, other_name: str, other: str) -> None:
    if value and not other:
        raise ConfigError(f"{name} needs {other_name}; set {other_name} or drop {name}")


@dataclass(frozen=True)
class EngineConfig:
    """Models, detector and device, and their share of the machine."""

    model: str = "auto"
    """Default model: the name of a bundled model or of one in ``model_dir``, or the path of an ONNX file or of a
    training run's folder. A folder with the name of a model needs a separator, as in ``./auto``. ``auto`` selects
    ``emotion-lite-int8`` on a CPU with VNNI, which runs it more than twice as fast, otherwise ``emotion-lite``."""
    model_dir: str = ""
    """Folder of further models; each ``*.onnx`` file is served under the name in its spec."""
    detector: str = "face-lite"
    """Face detector: ``face-lite`` (bundled), ``yunet`` (after ``ferserve models pull yunet``), or ``none`` if
    clients send boxes or crops."""
    device: Device = "auto"
    """Device of the models: ``auto`` selects CUDA if it loads, otherwise the CPU; a warning says why an
    ONNX Runtime built for CUDA runs on the CPU. ``cuda`` and ``tensorrt`` fail at the start if they are unavailable."""
    cache_dir: str = ""
    """Folder of the engines that TensorRT builds; empty for ``~/.cache/ferserve``."""
    threads: int = 0
    """Worker threads; 0 for one per processor that this process may use."""
    spare_threads: int = 1
    """Further threads, which take up short frames while all others have been busy with long ones for a while, so that a
    camera does not wait for large pictures of others; 0 for none."""
    max_first_run_s: float = 60.0
    """How long a model may take for its first row on the CPU when it is loaded; a graph may be endless."""
    min_score: float = 0.5
    """Lowest detector score of a face, unless the caller sets one; in [0, 1]."""
    max_faces: int = 64
    """Most faces that are classified per frame; the largest are kept."""
    max_pixels: int = 50_000_000
    """Largest frame, width x height, checked before decoding; of all crops of a frame together."""
    max_expansion: int = 768
    """Most bytes that decoding a frame may write per byte of the frame; frames under 64 KB count as 64 KB. Black
    pictures of 8 megapixels pass, a file that is made to fill the memory does not."""
    max_frame_ms: float = 2000.0
    """Most processor time per frame. A frame that is sure to need more memory than 250 kB per millisecond is refused
    before it is decoded; the clock is read between the stages. The slowest picture of ``max_pixels`` takes about half
    of the default."""
    detection_side_px: int = 0
    """Longest side of the image that the detector gets, unless the caller sets one. 0 selects half of the frame's
    longer side, from 320 to 640 px. Frames are never enlarged, so ``max_detection_side_px`` means full size."""
    max_detection_side_px: int = 2048
    """Largest ``detection_side_px``, of this configuration and of callers; at most 65535."""
    detection_interval: int = 4
    """Streams get at least one detection pass per this many frames, at most 1000; in between, faces are followed."""
    min_detection_interval: int = 2
    """Streams get at most one detection pass per this many frames; the load decides between the two bounds. Below six
    frames per second every frame gets one, unless the client sets its own bounds."""
    smoothing_ms: float = 400.0
    """Time constant of the smoothing of probabilities in streams; 0 turns it off."""
    max_batch_size: int = 0
    """Most faces of different frames in one run of the model; 0 measures at the start and chooses."""
    max_queue_delay_us: int = 2000
    """Longest wait of a face for others to fill a batch."""
    max_queue: int = 320
    """Most frames that wait for a worker, over all streams; further ones are refused. A stream, or all single calls of
    a client, may hold eight times the places that are free, a client sixteen times: so others find room, and one client
    alone still has four places for each of 64 streams."""
    max_queue_bytes: int = 128 * 1024 * 1024
    """Most memory of waiting frames, over all streams; shared as ``max_queue`` is."""
    resume_s: float = 30.0
    """How long a named stream can be resumed after its connection broke."""
    max_resumable: int = 1000
    """Most closed streams that can be resumed; the client with the largest share of their memory makes room."""
    max_resumable_per_client: int = 64
    """Most closed streams per client that can be resumed; the longest gone make room."""
    max_resumable_bytes: int = 32 * 1024 * 1024
    """Most memory of closed streams that can be resumed."""

    def __post_init__(self) -> None:
        _check("engine.device", self.device, self.device in get_args(Device), f"one of {', '.join(get_args(Device))}")
        _check("engine.threads", self.threads, 0 <= self.threads <= 1024, "from 0 to 1024")
        _check("engine.spare_threads", self.spare_threads, 0 <= self.spare_threads <= 16, "from 0 to 16")
        _check("engine.min_score", self.min_score, 0 <= self.min_score <= 1, "from 0 to 1")
        _check("engine.max_faces", self.max_faces, 1 <= self.max_faces <= 1000, "from 1 to 1000")
        _check("engine.max_pixels", self.max_pixels, self.max_pixels >= 1, "at least 1")
        run_s = self.max_first_run_s
        _check("engine.max_first_run_s", run_s, 0 < run_s <= 86_400, "above 0, up to 86400 s")
        _check("engine.max_expansion", self.max_expansion, self.max_expansion >= 1, "at least 1")
        _check("engine.max_frame_ms", self.max_frame_ms, 0 < self.max_frame_ms <= 600_000, "above 0, up to 600000 ms")
        side, most = self.detection_side_px, self.max_detection_side_px
        _check("engine.max_detection_side_px", most, 0 <= most <= 65535, "from 0 to 65535")
        expected = f"0 or from 32 to max_detection_side_px {most}"
        _check("engine.detection_side_px", side, side == 0 or 32 <= side <= most, expected)
        least, most = self.min_detection_interval, self.detection_interval
        _check("engine.min_detection_interval", least, least >= 1, "at least 1")
        expected = f"from min_detection_interval {least} to 1000"
        _check("engine.detection_interval", most, least <= most <= 1000, expected)
        _check("engine.smoothing_ms", self.smoothing_ms, 0 <= self.smoothing_ms <= 60_000, "from 0 to 60000 ms")
        _check("engine.max_batch_size", self.max_batch_size, 0 <= self.max_batch_size <= 1024, "from 0 to 1024")
        delay_us = self.max_queue_delay_us
        _check("engine.max_queue_delay_us", delay_us, 0 <= delay_us <= 1_000_000, "from 0 to 1000000 us")
        _check("engine.max_queue", self.max_queue, self.max_queue >= 1, "at least 1")
        _check("engine.max_queue_bytes", self.max_queue_bytes, self.max_queue_bytes >= 1, "at least 1")
        _check("engine.resume_s", self.resume_s, self.resume_s >= 0, "at least 0 s")
        for name in ("max_resumable", "max_resumable_per_client", "max_resumable_bytes"):
            _check(f"engine.{name}", getattr(self, name), getattr(self, name) >= 0, "at least 0")


MAX_MESSAGE_BYTES = 2**31 - 1
"""gRPC counts in 32 bits."""
_LOOPS = ("auto", "asyncio", "uvloop")
_CPUS = ("split", "shared")
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
    workers: int = 1
    """Processes that share the port, each with its own engine and ``engine.threads``."""
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
    max_calls_per_client: int = 1000
    """Most calls in flight per client: single calls, streams and health watchers."""
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
    health_port: int = 0
    """TCP port of a second health service without TLS, for probes that cannot use TLS; 0 for no such port."""
    metrics_port: int = 0
    """TCP port of ``http://HOST:PORT/metrics`` for Prometheus, in plain text, on ``host``; 0 for no such port."""
    admin: bool = False
    """Whether calls for administrators are served, such as channelz, which shows the connections of all clients."""
    web_port: int = 0
    """TCP port of the page and its API for web apps, with the same certificates; 0 for no page. Needs the extra
    ``web``."""
    web_origins: str = ""
    """Origins of other sites whose scripts may call the page's API, such as ``https://app.example``, separated by
    commas; empty for the page alone."""

    def __post_init__(self) -> None:
        _check("server.port", self.port, 0 <= self.port <= 65535, "from 0 to 65535")
        _check("server.workers", self.workers, 1 <= self.workers <= 256, "from 1 to 256")
        _check("server.loop", self.loop, self.loop in _LOOPS, f"one of {', '.join(_LOOPS)}")
        _check("server.cpus", self.cpus, self.cpus in _CPUS, f"one of {', '.join(_CPUS)}")
        _check("server.uds", self.uds, not (self.uds and self.workers > 1), "empty if server.workers is above 1")
        _check(
            "server.max_message_bytes",
            self.max_message_bytes,
            self.max_message_bytes == 0 or 1024 <= self.max_message_bytes <= MAX_MESSAGE_BYTES,
            f"0 or from 1024 to {MAX_MESSAGE_BYTES}",
        )
        _check("server.receive_timeout_s", self.receive_timeout_s, self.receive_timeout_s > 0, "above 0 s")
        limits = (
            "max_receiving_bytes",
            "max_receiving_bytes_per_client",
            "max_streams_per_client",
            "max_pending_results",
        )
        for name in limits:
            _check(f"server.{name}", getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("max_connections", "max_connections_per_client", "max_calls_per_client"):
            _check(f"server.{name}", getattr(self, name), 1 <= getattr(self, name) <= 1_000_000, "from 1 to 1000000")
        for name in ("max_connection_idle_s", "max_connection_age_s"):
            _check(f"server.{name}", getattr(self, name), 0 <= getattr(self, name) <= 2_000_000, "from 0 to 2000000 s")
        _check("server.grace_s", self.grace_s, 0 <= self.grace_s <= 86_400, "from 0 to 86400 s")
        _check("server.loop_lag_ms", self.loop_lag_ms, 0 < self.loop_lag_ms <= 60_000, "above 0, up to 60000 ms")
        _check("server.stall_s", self.stall_s, 0 <= self.stall_s <= 3600, "from 0 to 3600 s")
        timeout_s = self.worker_timeout_s
        _check("server.worker_timeout_s", timeout_s, 0.5 <= timeout_s <= 3600, "from 0.5 to 3600 s")
        _check_needs("server.tls_cert", self.tls_cert, "server.tls_key", self.tls_key)
        _check_needs("server.tls_key", self.tls_key, "server.tls_cert", self.tls_cert)
        _check_needs("server.tls_client_ca", self.tls_client_ca, "server.tls_cert", self.tls_cert)
        self._check_other_ports()
        self._check_page()

    def _check_other_ports(self) -> None:
        used = [("server.port", self.port)]
        for name in ("health_port", "metrics_port", "web_port"):
            port = getattr(self, name)
            free = port == 0 or port not in [other for _, other in used]
            others = " and ".join(name for name, _ in used)
            _check(f"server.{name}", port, 0 <= port <= 65535 and free, f"from 0 to 65535 and other than {others}")
            used.append((f"server.{name}", port))

    def _check_page(self) -> None:
        page_alone = not (self.web_port and self.workers > 1)
        _check(
            "server.web_port",
            self.web_port,
            page_alone,
            "0 if server.workers is above 1; run `ferserve web --target` beside the workers",
        )
        origins = [origin.strip() for origin in self.web_origins.split(",") if origin.strip()]
        wellformed = all(_ORIGIN.fullmatch(origin) for origin in origins)
        _check("server.web_origins", self.web_origins, wellformed, "origins such as https://app.example, with commas")


SYSTEM_CA = "system"
"""Value of :attr:`Tls.ca` for the authorities that gRPC ships."""


@dataclass(frozen=True)
class Tls:
    """A client's TLS settings: how it verifies the server and identifies itself."""

    ca: str = ""
    """PEM file with the authorities that may sign the server's certificate; ``system`` for those that gRPC ships;
    empty turns TLS off."""
    cert: str = ""
    """PEM file with the client's certificate, for a server with ``tls_client_ca``."""
    key: str = ""
    """PEM file with the private key of ``cert``, without a password."""

    def __post_init__(self) -> None:
        _check_needs("tls.cert", self.cert, "tls.key", self.key)
        _check_needs("tls.key", self.key, "tls.cert", self.cert)
        _check_needs("tls.cert", self.cert, "tls.ca", self.ca)


NO_TLS = Tls()


@dataclass(frozen=True)
class Config:
    """The whole configuration; ``tls`` is for commands that call a server."""

    engine: EngineConfig = field(default_factory=EngineConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    tls: Tls = field(default_factory=Tls)
