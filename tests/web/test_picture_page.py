"""The page's pictures, in a real Chromium."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, FileChooser, Page, expect

import ferserve
from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.rendering.csv import CsvRenderer
from ferserve.rendering.json import json_line
from ferserve.web import WebServer
from tests import builders
from tests.web.browser import Visit, chromium
from tests.web.serving import running

JPEG = builders.jpeg(builders.astronaut())
pytestmark = pytest.mark.timeout(180)  # a browser among other tests


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launch:
        yield launch()


@pytest.fixture
def visit(browser: Browser, page: str) -> Iterator[Page]:
    with Visit(browser, page) as visited:
        yield visited


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "astronaut.jpg").write_bytes(JPEG)
    (folder / "=two.png").write_bytes(
        builders.encoded(builders.rgb_picture(), "PNG"),
    )
    (folder / "paper.jpg").write_bytes(b"%PDF-1.7 this is a document")
    (folder / "loop.webp").write_bytes(builders.animated("WEBP"))
    (folder / "dot.png").write_bytes(builders.tall_png(1))
    (folder / "photo.bmp").write_bytes(builders.encoded(builders.rgb_picture(), "BMP"))
    (folder / "photo.webp").write_bytes(builders.encoded(builders.rgb_picture(), "WEBP"))
    return folder


def choose(page: Page, *paths: Path) -> None:
    page.set_input_files("#files", list(paths))


def test_a_picture_that_is_chosen_with_the_keyboard_is_shown_with_its_face(visit: Page, folder: Path) -> None:
    expect(visit.locator("[data-text='picture.choose']")).not_to_be_empty()  # until then the page is being set up
    visit.bring_to_front()
    for _ in range(9):
        visit.keyboard.press("Tab")
        if visit.evaluate("document.activeElement.id") == "files":
            break
    expect(visit.locator("#files")).to_be_focused()
    _choose_by_key(visit).set_files(folder / "astronaut.jpg")
    card = visit.locator("#picture-people .card")
    expect(card.locator(".bars li")).to_have_count(2)
    expect(card.locator("h2")).to_contain_text("bright")
    expect(visit.locator("#picture-note")).to_have_text("1 face")
    expect(visit.locator("#live")).to_contain_text("Face 1: ")
    assert "1 face" in (visit.locator("#picture-image").get_attribute("alt") or "")


def _choose_by_key(visit: Page) -> FileChooser:
    """Press Enter until the dialog is there: a browser with much to do drops keys; the test's own timeout ends it."""
    choosers: list[FileChooser] = []
    visit.on(
        "filechooser", lambda chooser: choosers.append(chooser)
    )  # Playwright marks it, which a builtin cannot take
    while not choosers:
        visit.keyboard.press("Enter")
        visit.wait_for_timeout(500)
    return choosers[0]


def test_pictures_that_are_dropped_or_pasted_are_shown(visit: Page, folder: Path) -> None:
    for kind, target in (("drop", "#drop"), ("paste", "body")):
        visit.evaluate(
            """async ([kind, target, bytes]) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([new Uint8Array(bytes)], `${kind}.jpg`, { type: "image/jpeg" }));
                const init = { bubbles: true, cancelable: true };
                document.querySelector(target).dispatchEvent(kind === "drop"
                    ? new DragEvent("drop", { ...init, dataTransfer: transfer })
                    : new ClipboardEvent("paste", { ...init, clipboardData: transfer }));
            }""",
            [kind, target, list(JPEG)],
        )
        expect(visit.locator(f"#shelf img[alt='{kind}.jpg'] + .count")).to_have_text("1")


def test_many_pictures_of_every_kind_are_shown_one_by_one(visit: Page, folder: Path) -> None:
    choose(visit, folder / "astronaut.jpg", folder / "photo.bmp", folder / "photo.webp", folder / "dot.png")
    for name, count in (("astronaut.jpg", "1"), ("photo.bmp", "1"), ("photo.webp", "1"), ("dot.png", "0")):
        expect(visit.locator(f"#shelf img[alt='{name}'] + .count")).to_have_text(count)
    visit.locator("#shelf button").last.click()
    expect(visit.locator("#picture-note")).to_have_text("No face is seen.")
    expect(visit.locator("#picture-people")).to_have_text("No face is seen.")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("paper.jpg", ["paper.jpg is no picture that can be read.", "must be a known image format"]),
        ("loop.webp", ["loop.webp is no picture that can be read.", "got an animated WebP"]),
    ],
)
def test_a_wrong_file_gets_a_sentence_and_the_next_one_works(
    visit: Page, folder: Path, name: str, words: list[str]
) -> None:
    choose(visit, folder / name)
    for text in words:
        expect(visit.locator("#alerts")).to_contain_text(text)
    choose(visit, folder / "astronaut.jpg")
    expect(visit.locator("#picture-note")).to_have_text("1 face")
    expect(visit.locator("#alerts")).to_be_empty()


def test_a_file_that_is_too_large_is_not_sent(visit: Page, folder: Path) -> None:
    sent: list[str] = []
    visit.on("request", lambda request: sent.append(request.url))
    visit.evaluate(
        """() => {
            const files = [new File([new Uint8Array(200 * 2 ** 20)], "huge.jpg")];
            const transfer = new DataTransfer();
            transfer.items.add(files[0]);
            document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
        }"""
    )
    expect(visit.locator("#alerts")).to_contain_text("huge.jpg is too large: 200 MB; at most 64 MB can be sent.")
    choose(visit, folder / "astronaut.jpg")
    expect(visit.locator("#picture-note")).to_have_text("1 face")
    assert len([url for url in sent if url.endswith("classify")]) == 1


def test_what_is_saved_is_what_the_commands_write(visit: Page, folder: Path, engine: Engine) -> None:
    choose(visit, folder / "astronaut.jpg", folder / "=two.png", folder / "paper.jpg")
    expect(visit.locator("#shelf img[alt='=two.png'] + .count")).to_have_text("1")
    expect(visit.locator("#alerts .alert")).to_have_count(1)
    with ferserve.LocalClient(engine) as client:
        results = {name: client.classify(folder / name) for name in ("astronaut.jpg", "=two.png")}

    expected = [json.loads(json_line(result, name)) for name, result in results.items()]
    lines = [json.loads(line) for line in saved(visit, "#save-json").decode().splitlines()]
    assert [_untimed(line) for line in lines] == [_untimed(line) for line in expected]

    table = CsvRenderer(engine.model("").heads)
    text = "\r\n".join(
        [table.header(), *(row for name, result in results.items() for row in table.lines(result, name))]
    )
    rows = list(csv.reader(io.StringIO(saved(visit, "#save-csv").decode())))
    want = list(csv.reader(io.StringIO(text)))
    assert rows[0] == want[0]
    assert [_cells(row) for row in rows] == [_cells(row) for row in want]
    assert rows[2][0] == "'=two.png"


def test_the_picture_is_saved_with_its_faces_in_full_size(visit: Page, folder: Path) -> None:
    choose(visit, folder / "astronaut.jpg")
    expect(visit.locator("#save-picture")).to_be_enabled()
    expect(visit.locator("#picture-image")).to_have_js_property("complete", True)
    picture = cv2.imdecode(np.frombuffer(saved(visit, "#save-picture"), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    changed = np.abs(picture.astype(int) - builders.astronaut()).max(2) > 60
    assert picture.shape == (512, 512, 3)
    x0, y0, x1, y1 = map(int, builders.ASTRONAUT_FACE)
    assert changed.mean() > 0.002
    assert changed[y0 - 60 : y1 + 40, x0 - 40 : x1 + 120].sum() == changed.sum()


def saved(page: Page, button: str) -> bytes:
    """The file that a button saves."""
    with page.expect_download() as download:
        page.click(button)
    return Path(download.value.path()).read_bytes()


def _untimed(line: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in line.items() if key != "timings"}


def _cells(row: list[str]) -> list[str | float]:
    """Numbers as numbers; without the timings, which differ."""
    return [_cell(value) for i, value in enumerate(row) if not _is_timing(i)]


def _is_timing(column: int) -> bool:
    first = CsvRenderer({}).columns.index("timings.queue_ms")
    return first <= column < first + 6


def _cell(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def test_a_server_that_is_gone_gets_a_sentence_and_the_next_try_works(
    browser: Browser, engine: Engine, folder: Path
) -> None:
    with running(WebServer(engine, ServerConfig(), 0)) as address, Visit(browser, address) as page:
        page.context.set_offline(True)
        choose(page, folder / "astronaut.jpg")
        expect(page.locator("#alerts")).to_contain_text("The server cannot be reached.")
        page.context.set_offline(False)
        choose(page, folder / "astronaut.jpg")
        expect(page.locator("#picture-note")).to_have_text("1 face")
