"""A small RTSP camera (RFC 2326, H.264 by RFC 6184 inside the TCP connection). It runs as a program, to be killed:

python -m tests.serving.rtsp_camera --port 8554 --size 640x480 --fps 30
"""

from __future__ import annotations

import base64
import socketserver
import struct
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import av

from tests.serving.camera_options import CameraOptions, announce, parse
from tests.serving.painted_time import picture

_CLOCK_HZ = 90_000
_MOST_BYTES = 1400


class _Viewer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        options = cast(Any, self.server).options
        try:
            while True:
                request = self._request()
                if request is None:
                    break
                method, url, headers = request
                sequence = headers.get("cseq", "0")
                if options.login and headers.get("authorization") != f"Basic {options.login}":
                    self._answer(sequence, "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"')
                elif method == "DESCRIBE" and not url.split("?")[0].rstrip("/").endswith(options.path):
                    self._answer(sequence, "404 Not Found")
                elif method == "DESCRIBE":
                    self._answer(sequence, "200 OK", "Content-Type: application/sdp", body=_SDP)
                elif method == "SETUP" and "TCP" not in headers.get("transport", ""):
                    self._answer(sequence, "461 Unsupported Transport")
                elif method == "SETUP":
                    self._answer(sequence, "200 OK", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1")
                elif method == "PLAY":
                    self._answer(sequence, "200 OK", "Session: 1")
                    self._play(options)
                else:
                    self._answer(sequence, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")
        except OSError:
            pass

    def _request(self) -> tuple[str, str, dict[str, str]] | None:
        first = self.rfile.readline().decode("latin-1").split()
        if len(first) < 2:
            return None
        headers = {}
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return first[0], first[1], headers

    def _answer(self, sequence: str, status: str, *headers: str, body: str = "") -> None:
        length = [f"Content-Length: {len(body)}"] if body else []
        lines = [f"RTSP/1.0 {status}", f"CSeq: {sequence}", *headers, *length, "", body]
        self.wfile.write("\r\n".join(lines).encode())

    def _play(self, options: CameraOptions) -> None:
        number = 0
        for at, unit in _access_units(options):
            for payload, is_last in _rtp_payloads(unit):
                header = struct.pack(">BBHII", 0x80, 96 | is_last << 7, number & 0xFFFF, at & 0xFFFFFFFF, 1)
                self.wfile.write(struct.pack(">cBH", b"$", 0, len(header) + len(payload)) + header + payload)
                number += 1


_SDP = "\r\n".join(
    (
        *("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 0.0.0.0", "t=0 0", "m=video 0 RTP/AVP 96"),
        *("a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1", "a=control:video", ""),
    )
)


def _access_units(options: CameraOptions) -> Iterator[tuple[int, list[bytes]]]:
    """Times and NAL units of pictures, at the pace of the camera."""
    encoder = cast(av.VideoCodecContext, av.CodecContext.create("libx264", "w"))
    encoder.width, encoder.height, encoder.pix_fmt = options.width, options.height, "yuv420p"
    encoder.time_base = Fraction(1, _CLOCK_HZ)
    encoder.framerate = Fraction(options.fps)
    encoder.gop_size = options.fps
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1:threads=1"}
    due = started = time.monotonic()
    while True:
        time.sleep(max(due - time.monotonic(), 0))
        frame = av.VideoFrame.from_ndarray(picture(options.width, options.height), format="bgr24")
        frame.pts = round((time.monotonic() - started) * _CLOCK_HZ)
        for packet in encoder.encode(frame):
            yield frame.pts, [unit for unit in _units(bytes(packet)) if unit]
        due = max(due + 1 / options.fps, time.monotonic() - 1)  # after a pause it does not race


def _units(stream: bytes) -> list[bytes]:
    return [part.rstrip(b"\0") for part in stream.split(b"\0\0\1")]


def _rtp_payloads(units: list[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Payloads of packets, and whether one is the last of its picture."""
    for index, unit in enumerate(units):
        last_unit = index == len(units) - 1
        if len(unit) <= _MOST_BYTES:
            yield unit, last_unit
            continue
        indicator, kind, rest = unit[0] & 0xE0 | 28, unit[0] & 0x1F, unit[1:]
        for start in range(0, len(rest), _MOST_BYTES):
            is_end = start + _MOST_BYTES >= len(rest)
            flags = (0x80 if start == 0 else 0) | (0x40 if is_end else 0)
            yield bytes((indicator, flags | kind)) + rest[start : start + _MOST_BYTES], last_unit and is_end


class RtspCamera(socketserver.ThreadingTCPServer):
    """The camera's server."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, options: CameraOptions) -> None:
        self.options = options
        super().__init__(("127.0.0.1", options.port), _Viewer)


def basic(user: str, password: str) -> str:
    """The value of Basic authentication."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


if __name__ == "__main__":
    with RtspCamera(parse(__doc__)) as camera:
        announce(camera.server_address[1])
        camera.serve_forever()
