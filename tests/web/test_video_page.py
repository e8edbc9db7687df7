"""The page's video files, in a real Chromium."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ferserve.types import Frame
from ferserve.web.engine_upstream import EngineFrameStream
from tests.web.browser import Visit, chromium, clip_file

FRAMES, FPS = 30, 25
pytestmark = pytest.mark.timeout(180)  # a browser among other tests


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launch:
        yield launch()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_file(tmp_path_factory.mktemp("clips") / "astronaut.webm", FRAMES, FPS)


@pytest.fixture
def visit(browser: Browser, page: str) -> Iterator[Page]:
    with Visit(browser, page, "#video") as visited:
        yield visited


def read(page: Page, clip: Path) -> None:
    page.set_input_files("#clip", clip)
    expect(page.locator("#video-csv")).to_be_enabled(timeout=30_000)


def test_every_frame_is_looked_at_and_can_be_found_again(visit: Page, clip: Path) -> None:
    read(visit, clip)
    expect(visit.locator("#video-note")).to_have_text(f"{FRAMES} frames at {FPS} per second")
    expect(visit.locator("#video-people h2")).to_contain_text("bright")
    visit.focus("#scrub")
    visit.keyboard.press("Home")
    expect(visit.locator("#clock")).to_have_text("0:00.0")
    for _ in range(5):
        visit.keyboard.press("ArrowRight")
    expect(visit.locator("#clock")).to_have_text("0:00.2")
    assert visit.evaluate("document.querySelector('#video-video').currentTime") == pytest.approx(5.5 / FPS, abs=1e-3)
    visit.click("#play")
    expect(visit.locator("#clock")).to_have_text("0:01.2")


def test_results_of_a_clip_are_saved_frame_by_frame(visit: Page, clip: Path) -> None:
    read(visit, clip)
    with visit.expect_download() as download:
        visit.click("#video-json")
    lines = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
    assert download.value.suggested_filename == "astronaut.jsonl"
    assert [line["frame_id"] for line in lines] == list(range(1, FRAMES + 1))
    times = [line["capture_time_ns"] for line in lines]
    assert times == [pytest.approx((i + 1) * 1e9 / FPS, abs=1000) for i in range(FRAMES)]
    assert {face["track_id"] for line in lines for face in line["faces"]} == {1}
    # The face moves as the clip was made: its way through the pictures is smooth, and no picture came twice.
    centres = [(face["box"][0] + face["box"][2]) / 2 for line in lines for face in line["faces"]]
    assert len(centres) == FRAMES
    assert max(abs(b - a) for a, b in itertools.pairwise(centres)) < 4
    with visit.expect_download() as download:
        visit.click("#video-csv")
    with Path(download.value.path()).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == ["astronaut.webm"] * FRAMES


def test_reading_can_be_ended_early(visit: Page, tmp_path: Path) -> None:
    visit.set_input_files("#clip", clip_file(tmp_path / "long.webm", 500, FPS))
    visit.click("#halt")
    expect(visit.locator("#halt")).to_be_hidden()
    visit.click("#video-clear")
    expect(visit.locator("#video-drop")).to_be_visible()
    expect(visit.locator("#video-people")).to_have_text("Faces and what they express appear here.")


def test_what_is_no_video_gets_a_sentence_and_the_next_one_works(visit: Page, clip: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.mp4"
    wrong.write_bytes(b"no video at all")
    visit.set_input_files("#clip", wrong)
    expect(visit.locator("#alerts")).to_contain_text("wrong.mp4 is no video that this browser can play.")
    read(visit, clip)
    expect(visit.locator("#alerts")).to_be_empty()


def test_frames_without_an_answer_are_sent_again(visit: Page, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket breaks in the middle, as if the server had failed."""
    send = EngineFrameStream.send
    failed: list[int] = []

    async def failing(stream: EngineFrameStream, frame: Frame) -> None:
        if frame.frame_id == 7 and not failed:
            failed.append(7)
            raise RuntimeError("out of luck")
        await send(stream, frame)

    monkeypatch.setattr(EngineFrameStream, "send", failing)
    read(visit, clip)
    expect(visit.locator("#video-note")).to_have_text(f"{FRAMES} frames at {FPS} per second")
    assert failed == [7]


@pytest.mark.parametrize(
    ("times", "fps"),
    [
        ([i / 25 for i in range(12)], 25),
        ([i * 1001 / 30000 for i in range(12)], 29.97),
        ([0, 1 / 25, 3 / 25, 4 / 25, 8 / 25], 25),  # some were not shown
        ([0], 25),
        ([], 25),
    ],
)
def test_the_frame_rate_follows_from_the_times_of_frames(visit: Page, times: list[float], fps: float) -> None:
    found = visit.evaluate("async (times) => (await import('./static/clip.js')).fpsOf(times)", times)
    assert found == pytest.approx(fps, abs=0.01)
