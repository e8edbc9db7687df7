"""The page for everyone: axe finds nothing, languages change all of it, and it fits every screen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page, expect

from tests import builders
from tests.web.browser import Visit, chromium, clip_file, fake_camera_clip
from tests.web.test_camera_page import CARD, start

pytestmark = pytest.mark.timeout(180)  # a browser among other tests


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium() as launch:
        yield launch(fake_camera_clip(tmp_path_factory.mktemp("camera") / "astronaut.y4m"))


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "astronaut.jpg"
    path.write_bytes(builders.jpeg(builders.astronaut()))
    return path


def with_pictures(page: Page, picture: Path) -> None:
    wrong = picture.with_name("wrong.jpg")
    wrong.write_bytes(b"%PDF")
    page.set_input_files("#files", [picture, picture, wrong])
    expect(page.locator("#alerts .alert")).to_be_visible()
    expect(page.locator("#picture-people .bars")).to_be_visible()


def with_camera(page: Page, picture: Path) -> None:
    page.click("#tab-camera")
    start(page)
    expect(page.locator(CARD)).to_be_visible()


def with_video(page: Page, picture: Path) -> None:
    page.click("#tab-video")
    page.set_input_files("#clip", clip_file(picture.with_name("clip.webm"), 5))
    expect(page.locator("#video-csv")).to_be_enabled()


def with_dialog(page: Page, picture: Path) -> None:
    page.evaluate("async () => { (await import('./static/api.js')).askForToken(); }")
    expect(page.locator("#token-dialog")).to_be_visible()


STATES: dict[str, Callable[[Page, Path], None]] = {
    "pictures, none": lambda page, picture: None,
    "pictures": with_pictures,
    "camera, consent": lambda page, picture: page.click("#tab-camera"),
    "camera": with_camera,
    "video, none": lambda page, picture: page.click("#tab-video"),
    "video": with_video,
    "token": with_dialog,
}


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe finds, by rule and element."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(Path(AXE_FILE_PATH).read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [{"rule": one["id"], "at": [node["html"][:120] for node in one["nodes"]]} for one in found["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(browser: Browser, page: str, picture: Path, scheme: str) -> None:
    with Visit(browser, page, color_scheme=scheme, permissions=["camera"]) as visit:
        for name, arrange in STATES.items():
            arrange(visit, picture)
            assert violations(visit) == [], name


@pytest.mark.parametrize(("width", "height"), [(360, 740), (768, 1024), (3840, 2160)])
def test_no_screen_has_to_be_scrolled_sideways(
    browser: Browser, page: str, picture: Path, width: int, height: int
) -> None:
    with Visit(browser, page, permissions=["camera"]) as visit:
        visit.set_viewport_size({"width": width, "height": height})
        for language in ("de", "es", "en"):
            visit.select_option("#language", language)
            for tab in ("picture", "camera", "video"):
                visit.click(f"#tab-{tab}")
                wide = visit.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert wide == 0, (language, tab)
        with_camera(visit, picture)
        assert visit.evaluate("document.documentElement.scrollWidth") <= width
        box = visit.locator("#camera-stage").bounding_box()
        assert box is not None
        assert box["width"] >= min(0.55 * width, width - 40)


@pytest.mark.parametrize(
    ("language", "tab", "count"),
    [("en", "Pictures", "1 face"), ("de", "Bilder", "1 Gesicht"), ("es", "Imágenes", "1 cara")],
)
def test_all_texts_follow_the_language(
    browser: Browser, page: str, picture: Path, language: str, tab: str, count: str
) -> None:
    with Visit(browser, page) as visit:
        visit.set_input_files("#files", picture)
        expect(visit.locator("#picture-people .bars")).to_be_visible()
        visit.select_option("#language", language)
        expect(visit.locator("#tab-picture")).to_have_text(tab)
        expect(visit.locator("#picture-note")).to_have_text(count)
        assert visit.evaluate("document.documentElement.lang") == language
        unnamed = visit.evaluate("[...document.querySelectorAll('[data-text]')].filter((n) => !n.textContent).length")
        assert unnamed == 0
        visit.reload()
        expect(visit.locator("#tab-picture")).to_have_text(tab)  # it is remembered


def test_the_language_of_the_browser_is_the_first_one(browser: Browser, page: str) -> None:
    for locale, text in (("de-AT", "Kamera"), ("es-MX", "Cámara"), ("fr-FR", "Camera")):
        context = browser.new_context(locale=locale)
        visited = context.new_page()
        visited.goto(page)
        expect(visited.locator("#tab-camera")).to_have_text(text)
        context.close()


def test_tabs_and_colours_are_chosen_with_the_keyboard(browser: Browser, page: str) -> None:
    with Visit(browser, page) as visit:
        visit.focus("#tab-picture")
        for key, tab in (("ArrowRight", "camera"), ("End", "video"), ("ArrowRight", "picture"), ("ArrowLeft", "video")):
            visit.keyboard.press(key)
            expect(visit.locator(f"#tab-{tab}")).to_be_focused()
            expect(visit.locator(f"#{tab}")).to_be_visible()
        visit.select_option("#theme", "dark")
        dark = visit.evaluate("getComputedStyle(document.body).backgroundColor")
        visit.select_option("#theme", "light")
        assert visit.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_changes_of_a_live_face_are_said_at_most_every_three_seconds(browser: Browser, page: str) -> None:
    with Visit(browser, page) as visit:
        said = visit.evaluate(
            """async () => {
                const { People } = await import("./static/people.js");
                const people = new People(document.createElement("div"), { live: true });
                const live = document.getElementById("live");
                const said = [];
                new MutationObserver(() => said.push(live.textContent)).observe(live, { childList: true });
                const shown = (label) => ({ faces: [{ track_id: 1, emotion: label, sure: true, confidence: 1, box: [],
                    heads: [{ probabilities: { [label]: 1 }, raw_probabilities: null }] }] });
                for (let i = 0; i < 50; i++) people.show(shown(i % 2 ? "fear" : "anger"));
                await new Promise((resolve) => setTimeout(resolve));
                return JSON.stringify(said);
            }"""
        )
    assert json.loads(said) == ["Face 1: anger"]
