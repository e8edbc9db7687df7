"""What SOURCE arguments stand for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ferserve.cli.inputs import Input, expand
from tests import builders

JPEG = b"\xff\xd8\xff\xe0 and more"
WEBM = b"\x1aE\xdf\xa3 and more"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], None]:
    """Writes files, by their paths, below the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(files: dict[str, bytes]) -> None:
        for name, content in files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)

    return write


Tree = Callable[[dict[str, bytes]], None]


def _names(*arguments: str, kind: str = "picture", recursive: bool = False) -> list[str]:
    inputs = expand(arguments, kind, recursive)  # type: ignore[arg-type]
    assert not [source.fault for source in inputs if source.fault]
    return [source.name for source in inputs]


def test_arguments_keep_their_order_and_folders_are_sorted_by_bytes(tree: Tree) -> None:
    tree(dict.fromkeys(("z.jpg", "d/b.jpg", "d/B.jpg", "d/10.jpg", "d/9.jpg", "d/é.jpg", "d/-y.jpg"), JPEG))
    inside = ["d/-y.jpg", "d/10.jpg", "d/9.jpg", "d/B.jpg", "d/b.jpg", "d/é.jpg"]
    assert _names("z.jpg", "d", "z.jpg") == ["z.jpg", *inside, "z.jpg"]


def test_subfolders_are_for_recursive_and_links_to_folders_for_nobody(tree: Tree) -> None:
    tree({"d/a/1.jpg": JPEG, "d/a.jpg": JPEG, "d/b/c/2.jpg": JPEG})
    os.symlink("..", "d/b/up")
    assert _names("d") == ["d/a.jpg"]
    assert _names("d", recursive=True) == ["d/a/1.jpg", "d/a.jpg", "d/b/c/2.jpg"]


def test_other_files_are_counted_and_hidden_ones_are_not_looked_at(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree({"d/photo": JPEG, "d/.trash.jpg": JPEG, "d/._photo.jpg": b"\0", "d/notes.txt": b"BM words", "d/x.mp4": WEBM})
    os.mkfifo("d/pipe.jpg")  # reading it would never end
    assert _names("d") == ["d/photo"]
    assert capsys.readouterr().err == "ferserve: d: 3 files that are no pictures skipped\n"
    assert _names("d", kind="video") == ["d/x.mp4"]
    assert capsys.readouterr().err == "ferserve: d: 3 files that are no videos skipped\n"


def test_a_damaged_picture_in_a_folder_is_not_skipped(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree({"d/empty.jpg": b"", "d/zeros.TIFF": bytes(100)})
    os.symlink("nowhere", "d/link.png")
    assert _names("d") == ["d/empty.jpg", "d/link.png", "d/zeros.TIFF"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("image_format", "kind"),
    [(f, "picture") for f in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")] + [("PPM", None)],
)
def test_pictures_are_known_by_content(tree: Tree, image_format: str, kind: str | None) -> None:
    tree({"d/x": builders.encoded(builders.rgb_picture().resize((16, 16)), image_format)})
    assert bool(expand(["d"], "picture", False)[0].fault) == (kind is None)


def test_a_pattern_is_one_only_if_no_file_has_its_name(tree: Tree) -> None:
    tree(dict.fromkeys(("a[1].jpg", "a1.jpg", "b/c.jpg", "b/d/e.jpg", "f?.jpg", "f2.jpg"), JPEG))
    assert _names("a[1].jpg") == ["a[1].jpg"]
    assert _names("a?.jpg") == ["a1.jpg"]
    assert _names("f?.jpg") == ["f?.jpg"]
    assert _names("*.jpg") == ["a1.jpg", "a[1].jpg", "f2.jpg", "f?.jpg"]
    assert _names("b/**") == ["b/c.jpg", "b/d/e.jpg"], "each once, though the pattern matches the folders too"


def test_a_name_is_only_a_name(tree: Tree) -> None:
    tree({"d/-": JPEG, "d/50%03d.jpg": JPEG, "d/a:b.jpg": JPEG, "d/0": JPEG})
    Path(os.fsdecode(b"d/caf\xe9.jpg")).write_bytes(JPEG)
    assert _names("d") == ["d/-", "d/0", "d/50%03d.jpg", "d/a:b.jpg", os.fsdecode(b"d/caf\xe9.jpg")]
    os.chdir("d")
    assert expand(["*"], "picture", False)[0].locator == "-"
    assert expand(["-"], "picture", False) == [Input("-", None)]
    assert expand([f"file://{os.getcwd()}/50%2503d.jpg"], "picture", False)[0].locator == f"{os.getcwd()}/50%03d.jpg"


def test_a_number_is_a_camera_of_videos_and_a_name_of_pictures() -> None:
    assert expand(["7"], "video", False) == [Input("7", 7)]
    assert expand(["7"], "picture", False) == [Input("7", "7")]


@pytest.mark.parametrize("argument", ["empty", "nothing*.jpg", "others", "http://a b/c", "gopher://x/y", "file://pc/x"])
def test_what_stands_for_nothing_is_a_fault(tree: Tree, argument: str) -> None:
    tree({"empty/.hidden": b"", "others/notes.txt": b"words"})
    (source,) = expand([argument], "picture", False)
    assert source.name == argument
    assert source.fault.startswith("source must ")
