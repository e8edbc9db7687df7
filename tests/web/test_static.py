"""The page's files: small, whole, and of nobody else."""

from __future__ import annotations

import re

from ferserve.web.application import STATIC

FILES = sorted(path for path in STATIC.iterdir())
TEXTS = (STATIC / "texts.js").read_text("utf-8")


def entries() -> dict[str, list[str]]:
    """The texts by their keys, in every language."""
    found = re.findall(r'^  "?([\w.]+)"?: \[(.*?)\],?$', TEXTS, re.M | re.S)
    return {key: re.findall(r'"((?:[^"\\]|\\.)*)"', texts) for key, texts in found}


def test_the_page_weighs_a_hundred_kilobytes_at_most() -> None:
    assert sum(path.stat().st_size for path in FILES) <= 100 * 1024


def test_a_script_has_at_most_300_lines() -> None:
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > 300} == {}


def test_nothing_comes_from_elsewhere() -> None:
    for path in FILES:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"https?://[\w.-]+|@import|url\(", text) == [], path.name


def test_every_text_is_there_in_every_language() -> None:
    texts = entries()
    assert len(texts) > 80
    for key, versions in texts.items():
        assert len(versions) == 3, key
        names = [sorted(re.findall(r"\{(\w+)\}", version)) for version in versions]
        assert names[0] == names[1] == names[2], key
        assert all(version == version.strip() != "" for version in versions), key


def test_every_text_that_is_asked_for_is_there_and_every_one_is_asked_for() -> None:
    scripts = "".join(path.read_text("utf-8") for path in FILES if path.name != "texts.js")
    quoted = set(re.findall(r"[\"'`]([a-z]+(?:\.[a-z_]+)*)[\"'`]", scripts))
    for key in re.findall(r'data-(?:text|label)="([\w.]+)"', scripts):
        assert key in entries(), key
    computed = ("label.", "error.")
    assert {key for key in entries() if key not in quoted and not key.startswith(computed)} == set()


def test_every_file_is_part_of_the_page() -> None:
    texts = {path: path.read_text("utf-8") for path in FILES}
    for path in FILES:
        users = [other for other, text in texts.items() if other != path and path.name in text]
        assert users or path.name == "index.html", path.name
