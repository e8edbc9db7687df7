"""A small camera that sends JPEG after JPEG over HTTP. It runs as a program, to be killed:

python -m tests.serving.mjpeg_camera --port 8080 --size 640x480 --fps 30
"""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import cv2

from tests.serving.camera_options import CameraOptions, announce, parse
from tests.serving.painted_time import picture


class _Viewer(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        options: CameraOptions = cast(Any, self.server).options
        if self.path != options.path:
            return self.send_error(404)
        if options.login and self.headers.get("Authorization") != f"Basic {options.login}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            return self.end_headers()
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            while True:
                jpeg = cv2.imencode(".jpg", picture(options.width, options.height))[1].tobytes()
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n")
                time.sleep(1 / options.fps)
        except OSError:
            return None


class MjpegCamera(ThreadingHTTPServer):
    """The camera's server."""

    daemon_threads = True

    def __init__(self, options: CameraOptions) -> None:
        self.options = options
        super().__init__(("127.0.0.1", options.port), _Viewer)


if __name__ == "__main__":
    with MjpegCamera(parse(__doc__)) as camera:
        announce(camera.server_address[1])
        camera.serve_forever()
