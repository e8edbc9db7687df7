"""Names of output folders."""

from __future__ import annotations

import pytest

from ferserve.annotation.naming import name_of_url, output_names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.mp4", "b.mov"], ["a", "b"]),
        (["a.mp4", "a.mov", "b.mp4"], ["a.mp4", "a.mov", "b"]),
        (["x/a.mp4", "y/a.mp4"], ["x/a", "y/a"]),
        (["a.mp4", "a.mp4", "a.mp4"], ["a.mp4", "a.mp4-2", "a.mp4-3"]),
        (["a.mp4", "a.mp4", "a.mp4-2.mp4"], ["a.mp4", "a.mp4-3", "a.mp4-2"]),
        (["a.mp4", "a/b.mp4"], ["a.mp4", "a/b"]),  # or one output would lie in the other
        (["../up.mp4", "/", ".hidden"], ["up", "source", ".hidden"]),
        (["-dash.mp4", "a b é%d.mp4", "a.b.c.mp4"], ["-dash", "a b é%d", "a.b.c"]),
    ],
)
def test_each_source_gets_a_folder_of_its_own(paths: list[str], names: list[str]) -> None:
    assert output_names(paths) == names


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("rtsp://me:secret@camera.local:554/live/1?token=x", "camera.local-554-live-1"),
        ("https://example.org/a%20b.mp4", "example.org-a-20b.mp4"),
        ("udp://@:1234", "1234"),
    ],
)
def test_a_url_gives_a_name_without_its_password(url: str, name: str) -> None:
    assert name_of_url(url) == name
