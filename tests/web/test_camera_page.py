"""The page's camera, in a real Chromium whose camera plays a clip."""

from __future__ import annotations

import asyncio
import csv
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.types import Frame, FrameResult
from ferserve.web import WebServer
from ferserve.web.engine_upstream import EngineFrameStream
from tests.serving.commands import FERSERVE
from tests.serving.health import free_port
from tests.serving.process import ServerProcess
from tests.web.browser import Visit, chromium, clip_file, fake_camera_clip
from tests.web.serving import running
from tests.web.test_guard import keeper

CARD = "#camera-people .card:not(.gone) .bars"
pytestmark = pytest.mark.timeout(180)  # a browser among other tests


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., Browser]]:
    with chromium() as launch:
        yield launch


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Browser], tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return launch(fake_camera_clip(tmp_path_factory.mktemp("camera") / "astronaut.y4m"))


def camera_page(browser: Browser, address: str) -> Visit:
    return Visit(browser, address, "#camera", permissions=["camera"])


def start(page: Page) -> None:
    page.check("#agree")
    page.click("#start")


def test_a_camera_is_looked_into_until_it_is_stopped(browser: Browser, page: str, engine: Engine) -> None:
    with camera_page(browser, page) as visit:
        asked: list[str] = []
        visit.on("request", lambda request: asked.append(request.url))
        visit.click("#start")  # without consent nothing happens
        expect(visit.locator("#agree")).to_be_focused()
        expect(visit.locator("#camera-stage")).to_be_hidden()
        start(visit)
        expect(visit.locator(CARD)).to_be_visible()
        expect(visit.locator("#camera-people h2")).to_contain_text("bright")
        expect(visit.locator("#meter-size")).to_have_text("640×480")
        expect(visit.locator("#meter-fps")).not_to_have_text("–")
        assert drawn(visit)
        visit.click("#stop")
        expect(visit.locator("#consent")).to_be_visible()
        assert visit.evaluate("document.querySelector('#camera-video').srcObject") is None
        assert all(url.startswith((page, "blob:")) for url in asked)
    while engine._streams:
        pass


def drawn(page: Page) -> bool:
    """Whether anything lies over the camera's picture."""
    return bool(
        page.evaluate(
            """() => {
                const canvas = document.querySelector("#camera-overlay");
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                return data.some((value) => value > 0);
            }"""
        )
    )


def test_permission_that_is_refused_can_be_given_later(browser: Browser, page: str) -> None:
    with Visit(browser, page, "#camera", permissions=[]) as visit:
        start(visit)
        expect(visit.locator("#alerts")).to_contain_text("The browser may not use the camera. Allow it")
        visit.context.grant_permissions(["camera"])
        visit.click("#start")
        expect(visit.locator(CARD)).to_be_visible()
        expect(visit.locator("#alerts")).to_be_empty()


def test_a_machine_without_a_camera_is_told_so(launch: Callable[..., Browser], page: str) -> None:
    with camera_page(launch(), page) as visit:
        start(visit)
        expect(visit.locator("#alerts")).to_contain_text("No camera was found. Plug one in")
        expect(visit.locator("#consent")).to_be_visible()


def test_a_camera_that_is_unplugged_is_told_and_can_start_again(browser: Browser, page: str) -> None:
    with camera_page(browser, page) as visit:
        start(visit)
        expect(visit.locator(CARD)).to_be_visible()
        visit.evaluate(
            """() => document.querySelector("#camera-video").srcObject.getVideoTracks()[0]
                .dispatchEvent(new Event("ended"))"""
        )
        expect(visit.locator("#alerts")).to_contain_text("The camera is gone.")
        visit.click("#start")
        expect(visit.locator(CARD)).to_be_visible()


def test_one_camera_follows_another(browser: Browser, engine: Engine, tmp_path: Path) -> None:
    """A tab has one stream; the clip of a demo is a second camera."""
    clip = clip_file(tmp_path / "demo.webm", 25)
    with (
        running(WebServer(engine, ServerConfig(), 0, demo_clip=clip)) as address,
        camera_page(browser, address) as visit,
    ):
        start(visit)
        expect(visit.locator("#meter-size")).to_have_text("640×480")
        for index, size in ((1, "320×240"), (0, "640×480")):
            visit.select_option("#device", index=index)
            expect(visit.locator("#meter-size")).to_have_text(size)
            expect(visit.locator(CARD)).to_be_visible()
            while len(engine._streams) != 1:
                pass


def test_the_demo_needs_neither_a_camera_nor_consent(
    launch: Callable[..., Browser], engine: Engine, tmp_path: Path
) -> None:
    clip = clip_file(tmp_path / "demo.webm", 25)
    with (
        running(WebServer(engine, ServerConfig(), 0, demo_clip=clip)) as address,
        Visit(launch(), address, "#camera=demo") as visit,
    ):
        expect(visit.locator(CARD)).to_be_visible()
        visit.click("#stop")
        visit.click("#start-demo")
        expect(visit.locator(CARD)).to_be_visible()


def test_two_tabs_are_answered_at_a_time(browser: Browser, page: str) -> None:
    with camera_page(browser, page) as first, camera_page(browser, page) as second:
        for visit in (first, second):
            start(visit)
        for visit in (first, second, first):
            visit.locator("#meter-fps").evaluate("node => node.textContent = '–'")
            expect(visit.locator("#meter-fps")).not_to_have_text("–")


def test_a_server_that_is_killed_is_found_again(browser: Browser, model_dir: Path) -> None:
    port = free_port()
    models = ("--model", "brightness", "--model-dir", str(model_dir))
    command = [*FERSERVE, "web", "--port", str(port), *models]
    with ServerProcess(command) as process:
        visit = camera_page(browser, f"http://127.0.0.1:{port}/")
        start(visit.page)
        expect(visit.page.locator(CARD)).to_be_visible()
        expect(visit.page.locator("#camera-people .chip")).to_have_text("1")
        process.process.kill()
        expect(visit.page.locator("#camera-note")).to_have_text("The connection broke. Trying again …")
    with ServerProcess(command), visit as page:
        expect(page.locator("#camera-note")).to_have_text("")
        expect(page.locator("#camera-people .card:not(.gone) .chip")).to_have_text("2")  # no id is used twice


class Gate:
    """Holds every answer of a stream back until it is opened, and counts the frames that came meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.frames: list[Frame] = []
        send, answer = EngineFrameStream.send, EngineFrameStream.next

        async def noted(stream: EngineFrameStream, frame: Frame) -> None:
            self.frames.append(frame)
            await send(stream, frame)

        async def held(stream: EngineFrameStream) -> FrameResult | None:
            result = await answer(stream)
            await asyncio.to_thread(self.open.wait)
            return result

        monkeypatch.setattr(EngineFrameStream, "send", noted)
        monkeypatch.setattr(EngineFrameStream, "next", held)


def test_a_slow_server_is_waited_for_with_two_frames_at_most(
    browser: Browser, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    try:
        with camera_page(browser, page) as visit:
            start(visit)
            expect(visit.locator("#camera-note")).to_have_text("Waiting for the server …")
            assert len(gate.frames) == 2
            gate.open.set()
            expect(visit.locator("#camera-note")).to_have_text("")
            expect(visit.locator(CARD)).to_be_visible()
    finally:
        gate.open.set()
    ids = [frame.frame_id for frame in gate.frames]
    times = [frame.capture_time_ns for frame in gate.frames]
    assert ids == sorted(set(ids))
    assert times == sorted(set(times))


def test_the_neutral_face_is_set_by_a_button(browser: Browser, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    gate.open.set()
    with camera_page(browser, page) as visit:
        start(visit)
        expect(visit.locator(CARD)).to_be_visible()
        assert not any(frame.neutral for frame in gate.frames)
        visit.click("#neutral")
        expect(visit.locator("#camera-note")).to_have_text("Look neutral, please …")
        expect(visit.locator("#camera-note")).to_have_text("Calibrated on your neutral face.")
        assert any(frame.neutral for frame in gate.frames)
        while gate.frames[-1].neutral:
            visit.wait_for_timeout(20)


def test_results_are_recorded_and_no_video(browser: Browser, page: str, engine: Engine) -> None:
    with camera_page(browser, page) as visit:
        start(visit)
        expect(visit.locator(CARD)).to_be_visible()
        visit.click("#record")
        expect(visit.locator("#record")).to_have_attribute("aria-pressed", "true")
        expect(visit.locator("#record")).to_contain_text(re.compile(r"Save [1-9]\d+ rows"))
        with visit.expect_download() as download:
            visit.click("#record")
        with Path(download.value.path()).open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert download.value.suggested_filename.endswith(".csv")
    assert len(rows) >= 10
    numbers = [int(row["frame_id"]) for row in rows]
    assert numbers == sorted(set(numbers))
    for row in rows:
        head = engine.model("").heads["emotion"]
        shares = [float(row[f"heads.emotion.probabilities.{label}"]) for label in head]
        assert sum(shares) == pytest.approx(1, abs=1e-3)
        assert row["source"] == "camera"


def test_a_token_is_asked_for_until_it_is_right(browser: Browser, engine: Engine) -> None:
    with (
        running(WebServer(engine, ServerConfig(), 0, authenticate=keeper)) as address,
        camera_page(browser, address) as visit,
    ):
        start(visit)
        for token in ("wrong", "sesame"):
            expect(visit.locator("#token-dialog")).to_be_visible()
            visit.fill("#token", token)
            visit.keyboard.press("Enter")
        expect(visit.locator(CARD)).to_be_visible()


def test_frames_shrink_if_round_trips_are_long_and_grow_again(browser: Browser, page: str) -> None:
    with camera_page(browser, page) as visit:
        sides: list[Any] = visit.evaluate(
            """async () => {
                const { Pace } = await import("./static/pace.js");
                const pace = new Pace();
                const after = (count, ms) => { for (let i = 0; i < count; i++) pace.note(ms); return pace.sidePx; };
                return [pace.sidePx, after(30, 20), after(60, 400), after(200, 400), after(60, 100), after(500, 20)];
            }"""
        )
    assert sides[0] == sides[1] == 640
    assert sides[2] < 640
    assert sides[3] == sides[4] == 240
    assert sides[5] == 640
