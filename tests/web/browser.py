"""A real Chromium for tests of the page, with a camera that plays a clip made by code."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import builders

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CAMERA_SIZE = (640, 480)
expect.set_options(timeout=20_000)


def fake_camera_clip(path: Path, frames: int = 30) -> Path:
    """The moving astronaut as the Y4M file that Chromium's fake camera plays, over and over."""
    width, height = CAMERA_SIZE
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode())
        for i in range(frames):
            planes = cv2.cvtColor(builders.scene(i / 30, width, height), cv2.COLOR_BGR2YUV_I420)
            file.write(b"FRAME\n" + planes.tobytes())
    return path


@contextlib.contextmanager
def chromium() -> Iterator[Callable[..., Browser]]:
    """Launches browsers, whose cameras play ``camera_clip``; without one they have none. Skips without a Chromium."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: `apt-get install chromium`")
    with sync_playwright() as playwright, contextlib.ExitStack() as browsers:

        def launch(camera_clip: Path | None = None) -> Browser:
            arguments = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
            if camera_clip is not None:
                arguments += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera_clip}"]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
            browsers.callback(browser.close)
            return browser

        yield launch


class Visit:
    """One page in a profile of its own, with a camera if ``permissions`` say so. Its errors fail the test."""

    def __init__(self, browser: Browser, address: str, path: str = "", **settings: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB", **settings)
        self.context.set_default_timeout(20_000)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self._note(line.text))
        self.address = address
        self.page.goto(address + path)
        self.page.wait_for_selector("html[data-ready]", state="attached")

    def _note(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.errors.append(text)

    def __enter__(self) -> Page:
        return self.page

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert self.errors == []


def clip_file(path: Path, frames: int, fps: int = 25) -> Path:
    """The moving astronaut as a WebM of 320x240 px, which every browser plays."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", fps, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 240, "yuv420p", 1_000_000
        stream.codec_context.thread_count = 1
        for i in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(builders.scene(i / fps, 320, 240), "bgr24")))
        container.mux(stream.encode(None))
    return path
