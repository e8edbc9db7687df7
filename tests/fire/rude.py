"""HTTP/2 and gRPC byte by byte, for clients that break the rules which gRPC's own client keeps."""

from __future__ import annotations

import socket
import struct
import time
from functools import lru_cache

import h2.config
import h2.connection
import h2.events
import h2.settings

from ferserve.v1 import emotion_pb2 as pb
from tests import builders

CLASSIFY = "/ferserve.v1.EmotionService/Classify"
CLASSIFY_STREAM = "/ferserve.v1.EmotionService/ClassifyStream"
_READ_BYTES = 1 << 20
Header = tuple[bytes | str, bytes | str]


def message(body: bytes, *, compressed: bool = False) -> bytes:
    """``body`` as gRPC frames it: a flag, the length, the bytes."""
    return struct.pack(">?I", compressed, len(body)) + body


def config(**fields: object) -> bytes:
    """The first message of a stream."""
    return pb.ClassifyStreamRequest(config=pb.StreamConfig(**fields)).SerializeToString()  # type: ignore[arg-type]


def jpeg_frame(frame_id: int) -> bytes:
    """A message with a frame of 640 x 480 with a face."""
    frame = pb.Frame(frame_id=frame_id, encoded=_picture())
    return pb.ClassifyStreamRequest(frame=frame).SerializeToString()


@lru_cache
def _picture() -> bytes:
    return builders.jpeg(builders.scene())


def connect_socket(address: str, timeout_s: float = 10.0, source: str = "") -> socket.socket:
    """A bare TCP connection to ``HOST:PORT``, from the address ``source`` of this machine, such as ``127.0.0.2``."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout_s, (source, 0))


class RudeConnection:
    """One HTTP/2 connection that sends whatever it is told. A context manager.

    Every method raises :class:`OSError` once the server has closed the connection.
    """

    def __init__(
        self, address: str, *, initial_window: int | None = None, reads: bool = True, source: str = ""
    ) -> None:
        """``initial_window`` is what the server may send on each stream; ``reads`` False never takes its answers.

        With ``source`` it is another client than the camera, to a server that knows clients by their addresses.
        """
        self._socket = connect_socket(address, source=source)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reads = reads
        self._http2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        if initial_window is not None:
            codes = h2.settings.SettingCodes
            values = {codes.INITIAL_WINDOW_SIZE: initial_window, codes.ENABLE_PUSH: 0}
            self._http2.local_settings = h2.settings.Settings(client=True, initial_values=values)
        self._http2.initiate_connection()
        self._flush()
        self._events: list[h2.events.Event] = []
        self._closed = False

    def open(self, method: str, *metadata: Header) -> int:
        """Send the headers of a call; returns its HTTP/2 stream."""
        stream: int = self._http2.get_next_available_stream_id()
        headers: list[Header] = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "fire"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
        self._http2.send_headers(stream, [*headers, *metadata])
        self._flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False, limit_s: float = 20.0) -> int:
        """Send ``data`` as far as flow control lets it within ``limit_s``; returns how many bytes went out."""
        sent, deadline = 0, time.monotonic() + limit_s
        while sent < len(data):
            window = min(self._http2.local_flow_control_window(stream), self._http2.max_outbound_frame_size)
            if window <= 0:
                if time.monotonic() > deadline:
                    break
                self.poll(0.05)
                continue
            part = data[sent : sent + window]
            sent += len(part)
            self._http2.send_data(stream, part, end_stream=end and sent == len(data))
            self._flush()
        return sent

    def reset(self, stream: int) -> None:
        """Give the call up."""
        self._http2.reset_stream(stream)
        self._flush()

    def ping(self) -> None:
        """Send a PING."""
        self._http2.ping(b"burning.")
        self._flush()

    def poll(self, wait_s: float = 0.0) -> list[h2.events.Event]:
        """What came within ``wait_s``; answers PINGs and settings, and hands out flow control if it reads."""
        if self._closed:
            raise ConnectionError("the server closed the connection")
        self._socket.settimeout(max(wait_s, 0.001))
        try:
            data = self._socket.recv(_READ_BYTES)
        except TimeoutError:
            return []
        finally:
            self._socket.settimeout(10)
        if not data:
            self._closed = True
            raise ConnectionError("the server closed the connection")
        events: list[h2.events.Event] = self._http2.receive_data(data)
        self._ignore_stream_limit()
        for event in events:
            if isinstance(event, h2.events.DataReceived) and self._reads and event.flow_controlled_length:
                self._http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self._flush()
        self._events += events
        return events

    def status(self, stream: int, limit_s: float = 10.0) -> tuple[str, str] | None:
        """Code and message of a call that has ended; None if none came within ``limit_s`` or it was reset."""
        deadline = time.monotonic() + limit_s
        while True:
            for event in self._events:
                if getattr(event, "stream_id", None) != stream:
                    continue
                if isinstance(event, h2.events.StreamReset):
                    return None
                if isinstance(event, h2.events.TrailersReceived | h2.events.ResponseReceived):
                    found = dict(event.headers)
                    if b"grpc-status" in found:
                        return found[b"grpc-status"].decode(), found.get(b"grpc-message", b"").decode()
            if time.monotonic() > deadline:
                return None
            self.poll(0.05)

    def close(self) -> None:
        """Hang up."""
        self._closed = True
        self._socket.close()

    def __enter__(self) -> RudeConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ignore_stream_limit(self) -> None:
        """Let as many calls be opened as the attack wants, whatever the server allows."""
        settings = self._http2.remote_settings
        settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 2**31 - 1
        settings.acknowledge()

    def _flush(self) -> None:
        if data := self._http2.data_to_send():
            self._socket.sendall(data)
