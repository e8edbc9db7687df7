"""Serve, stream a real face through the client, watch the live table. This is what ``make demo`` runs.

The face is scikit-image's astronaut (public domain), moved, scaled and lit by code and sent as JPEG frames at the pace
of a camera. Leaves with 0 when faces were seen.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from rich.console import Console
from skimage import data

import ferserve
from ferserve.cli.live import LiveView

WIDTH, HEIGHT, FPS, SECONDS = 640, 480, 30, 10
FACE_CENTRE = (222.0, 122.0)  # px in the astronaut's picture


def main() -> int:
    """Run the demo; returns the exit code."""
    console = Console()
    astronaut = np.ascontiguousarray(data.astronaut()[:, :, ::-1])
    with running_server() as address:
        console.print(f"A server runs on {address}; {SECONDS} s of video at {FPS} FPS follow.")
        with ferserve.Client(address) as client, LiveView("astronaut", console) as view:
            options = ferserve.StreamOptions(delivery=ferserve.Delivery.LATEST)
            for result in client.stream(at_camera_pace(jpeg_frames(astronaut)), options):
                view.show(result)
    summary = view.summary
    if summary.with_faces == 0:
        console.print("No face was seen: something is wrong.", style="red")
    return 0 if summary.with_faces else 1


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """``ferserve serve`` in a process of its own, on a free port; gives HOST:PORT."""
    command = [sys.executable, "-m", "ferserve", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            if not ready.startswith("ferserve ready on "):
                raise SystemExit("the server did not start")
            print(ready, end="")
            yield ready.split()[3]
        finally:
            process.terminate()


def jpeg_frames(bgr: NDArray[np.uint8]) -> Iterator[bytes]:
    """``bgr`` in motion, one JPEG file per frame."""
    for number in range(FPS * SECONDS):
        yield simplejpeg.encode_jpeg(scene(bgr, number / FPS), 90, "BGR")


def scene(bgr: NDArray[np.uint8], seconds: float) -> NDArray[np.uint8]:
    """``bgr`` as a camera would see it at that time: nearer or further, to the side, in other light."""
    zoom = 1.0 + 0.3 * np.sin(0.9 * seconds)
    x = WIDTH / 2 + 0.15 * WIDTH * np.sin(0.7 * seconds) - FACE_CENTRE[0] * zoom
    y = HEIGHT / 2 + 0.08 * HEIGHT * np.sin(1.3 * seconds) - FACE_CENTRE[1] * zoom
    placed = cv2.warpAffine(bgr, np.array([[zoom, 0, x], [0, zoom, y]]), (WIDTH, HEIGHT))
    return np.asarray(cv2.convertScaleAbs(placed, alpha=1.0 + 0.25 * np.sin(1.9 * seconds)), np.uint8)


def at_camera_pace(frames: Iterator[bytes]) -> Iterator[tuple[float, bytes]]:
    """``frames`` with their times, s, each no earlier than a camera would have taken it."""
    started = time.monotonic()
    for number, frame in enumerate(frames):
        time.sleep(max(0.0, started + number / FPS - time.monotonic()))
        yield number / FPS, frame


if __name__ == "__main__":
    sys.exit(main())
