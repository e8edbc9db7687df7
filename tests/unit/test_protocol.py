"""The protocol has the field's style, and breaks no client of a released version."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).parents[2]
RELEASED = sorted((ROOT / "proto" / "released").glob("*.binpb"))
BUF = shutil.which("buf", path=sysconfig.get_path("scripts"))
needs_buf = pytest.mark.skipif(BUF is None, reason="needs buf, of the extra lint")


def buf(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(BUF), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the protocol, to be changed."""
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    return tmp_path


def test_a_released_protocol_is_a_set_of_descriptors() -> None:
    assert RELEASED
    for path in RELEASED:
        assert re.fullmatch(r"\d+\.\d+\.\d+", path.stem)
        files = {file.name: file for file in FileDescriptorSet.FromString(path.read_bytes()).file}
        assert files["ferserve/v1/emotion.proto"].package == "ferserve.v1"


@needs_buf
@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_no_client_of_a_release_breaks(released: Path) -> None:
    done = buf(ROOT, "breaking", "--against", released)
    assert (done.returncode, done.stdout) == (0, "")


@needs_buf
@pytest.mark.parametrize(
    ("line", "changed", "message"),
    [
        ("uint64 frame_id = 1;  ", "uint64 frame_id = 90; ", 'field "1"'),
        ("float score = 4; ", "double score = 4;", "changed type"),
        ("DELIVERY_EVERY = 2;", "DELIVERY_ALL = 2;", "DELIVERY_ALL"),
        ("rpc Classify(", "rpc ClassifyOne(", "Classify"),
    ],
)
def test_a_change_that_breaks_clients_is_found(tree: Path, line: str, changed: str, message: str) -> None:
    source = tree / "proto" / "ferserve" / "v1" / "emotion.proto"
    text = source.read_text("utf-8")
    assert line in text
    source.write_text(text.replace(line, changed))
    done = buf(tree, "breaking", "--against", RELEASED[0])
    assert done.returncode != 0
    assert message in done.stdout


@needs_buf
def test_the_protocol_has_the_fields_style(tree: Path) -> None:
    assert buf(tree, "lint").stdout == ""
    source = tree / "proto" / "ferserve" / "v1" / "emotion.proto"
    source.write_text(source.read_text("utf-8").replace("float certainty = 6", "float Certainty = 6"))
    assert "Certainty" in buf(tree, "lint").stdout
