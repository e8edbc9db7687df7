"""What stands beside the package: images for containers, and make."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from ferserve.config_sources import load_config

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.cuda", "Dockerfile.jetson"])
@pytest.mark.parametrize("arguments", [{}, {"workers": 4}])
def test_a_container_can_be_reached_with_any_arguments(name: str, arguments: dict[str, int]) -> None:
    """Arguments of ``docker run`` take the place of CMD; the environment stays."""
    text = (ROOT / name).read_text()
    env = dict(pair.split("=", 1) for line in re.findall(r"^ENV (.*)$", text, re.M) for pair in shlex.split(line))
    assert not re.search(r"^CMD", text, re.M)
    server = load_config(env=env, flags={"server": arguments}).server
    assert (server.host, server.metrics_port) == ("0.0.0.0", 50053)


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.cuda", "Dockerfile.jetson"])
def test_what_an_image_copies_is_sent_to_docker(name: str) -> None:
    """.dockerignore refuses everything that it does not name."""
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / name).read_text(), re.M)
    assert copied
    for path in (path for line in copied for path in line.split()):
        assert path in sent
        assert (ROOT / path).exists()


def test_make_help_lists_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    targets = re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.M)
    assert sorted(line.split()[0] for line in done.stdout.splitlines()) == sorted(targets)


def _sources(*suffixes: str) -> list[Path]:
    """Files that people write, not generators."""
    folders = [ROOT / folder for folder in ("ferserve", "training", "tests", "ext", "docs", "examples")]
    found = [path for folder in folders for suffix in suffixes for path in sorted(folder.rglob(f"*{suffix}"))]
    generated = {ROOT / "ferserve" / "v1", ROOT / "ferserve" / "inference"}
    return [path for path in found if not generated.intersection(path.parents)]


def test_a_file_has_at_most_300_lines() -> None:
    lines = {
        path: len(path.read_text("utf-8").splitlines()) for path in _sources(".py", ".pyi", ".pyx", ".pxd", ".h", ".c")
    }
    assert len(lines) > 300
    assert {str(path): count for path, count in lines.items() if count > 300} == {}


def test_a_function_has_at_most_40_lines() -> None:
    """Counted from ``def`` to its last line, without the docstring."""
    lines = {f"{path}:{f.lineno} {f.name}": _lines(f) for path in _sources(".py") for f in _functions(path)}
    assert len(lines) > 1000
    assert {name: count for name, count in lines.items() if count > 40} == {}


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    whole = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return whole
    docstring = function.body[0]
    return whole - ((docstring.end_lineno or 0) - docstring.lineno + 1)
