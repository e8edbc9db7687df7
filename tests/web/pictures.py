"""The pictures of docs/web.md, taken of every state of the page: ``python -m tests.web.pictures``."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.web import WebServer
from tests import builders
from tests.web.browser import Visit, chromium, clip_file, fake_camera_clip
from tests.web.serving import running
from tests.web.test_accessible_page import with_camera, with_dialog

FOLDER = Path(__file__).parents[2] / "docs" / "web"
COLOURS = 128


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine(EngineConfig(model="emotion-lite")) as engine,
        running(WebServer(engine, ServerConfig(), 0)) as address,
        chromium() as launch,
    ):
        files = Path(folder)
        browser = launch(fake_camera_clip(files / "astronaut.y4m", 90))
        for scheme in ("light", "dark"):
            for name, arrange in STATES.items():
                with Visit(browser, address, color_scheme=scheme, permissions=["camera"]) as page:
                    arrange(page, files)
                    _save(page, FOLDER / f"{name}-{scheme}.png")
        with Visit(browser, address, "#camera", color_scheme="light", permissions=["camera"]) as page:
            page.set_viewport_size({"width": 360, "height": 740})
            page.select_option("#language", "es")
            _camera(page, files)
            _save(page, FOLDER / "phone-light.png")


def _pictures(page: Page, files: Path) -> None:
    names = ["crew.jpg", "portrait.jpg", "small.jpg", "paper.jpg"]
    wide = np.hstack([builders.scene(0.2, 480, 540), builders.scene(2.4, 480, 540)])
    for name, picture in zip(names, (wide, builders.astronaut(), builders.scene(1.0)), strict=False):
        (files / name).write_bytes(builders.jpeg(picture))
    (files / "paper.jpg").write_bytes(b"%PDF-1.7")
    page.set_input_files("#files", [files / name for name in names])
    expect(page.locator("#alerts .alert")).to_be_visible()
    expect(page.locator("#picture-people .bars")).to_have_count(2)
    page.check("#picture-landmarks")


def _camera(page: Page, files: Path) -> None:
    with_camera(page, files)
    expect(page.locator("#meter-fps")).not_to_have_text("–")
    page.wait_for_timeout(6000)


def _video(page: Page, files: Path) -> None:
    page.click("#tab-video")
    page.set_input_files("#clip", clip_file(files / "clip.webm", 60))
    expect(page.locator("#video-csv")).to_be_enabled(timeout=60_000)
    page.focus("#scrub")
    for _ in range(25):
        page.keyboard.press("ArrowLeft")


def _refused(page: Page, files: Path) -> None:
    page.context.clear_permissions()
    page.click("#tab-camera")
    page.check("#agree")
    page.click("#start")
    expect(page.locator("#alerts .alert")).to_be_visible()


STATES: dict[str, Callable[[Page, Path], None]] = {
    "empty": lambda page, files: None,
    "pictures": _pictures,
    "consent": lambda page, files: page.click("#tab-camera"),
    "camera": _camera,
    "refused": _refused,
    "video": _video,
    "token": with_dialog,
}


def _save(page: Page, path: Path) -> None:
    """As a PNG with few colours, which is a third of the size."""
    page.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
