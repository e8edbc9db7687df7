"""What a wheel and a source distribution of ferserve hold, and what their metadata say."""

from __future__ import annotations

import email
import hashlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ferserve import __version__

ROOT = Path(__file__).parents[2]
NOT_SHIPPED = {".pyc", ".so"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``lib``, a wheel's Python part, and ``ferserve.egg-info``, which lists the source distribution."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", folder, "build_py", "--build-lib"]
    done = subprocess.run([*command, folder / "lib"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def metadata(built: Path) -> Message:
    return email.message_from_string((built / "ferserve.egg-info/PKG-INFO").read_text("utf-8"))


def _files(folder: str) -> Iterator[str]:
    """Paths from the root of what lies in ``folder``, without what was compiled."""
    for path in (ROOT / folder).rglob("*"):
        if path.is_file() and path.suffix not in NOT_SHIPPED:
            yield path.relative_to(ROOT).as_posix()


def test_a_wheel_holds_every_file_of_the_package(built: Path) -> None:
    """Models, their cards, stubs, py.typed and schemas too."""
    missing = [name for name in _files("ferserve") if not (built / "lib" / name).is_file()]
    assert missing == []


def test_a_wheel_holds_the_proto_beside_its_code(built: Path) -> None:
    """So that ``protoc -I site-packages ferserve/v1/emotion.proto`` works for other languages."""
    for source in (ROOT / "proto").rglob("*.proto"):
        shipped = built / "lib" / source.relative_to(ROOT / "proto")
        assert shipped.read_bytes() == source.read_bytes()
        assert shipped.with_name(f"{source.stem}_pb2.py").is_file()


def test_a_wheel_holds_its_bill_of_materials(built: Path, metadata: Message) -> None:
    bill = json.loads((built / "lib/ferserve/sbom.cdx.json").read_text("utf-8"))
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    parts = {part["name"]: part for part in bill["components"]}
    needed = {re.split(r"[<>=]", line)[0] for line in metadata.get_all("Requires-Dist") or [] if "extra ==" not in line}
    assert needed
    assert {name for name, part in parts.items() if part["type"] == "library"} == needed
    weights = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "ferserve").rglob("*.onnx")}
    assert {name for name, part in parts.items() if part["type"] == "machine-learning-model"} == set(weights)
    for name, path in weights.items():
        (digest,) = parts[name]["hashes"]
        assert digest["content"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "folder",
    ["ferserve", "docs", "tests", "examples", "training", "proto", "ext", "scripts", "deploy", "packaging", "typings"],
)
def test_a_source_distribution_holds_every_folder(built: Path, folder: str) -> None:
    shipped = set((built / "ferserve.egg-info/SOURCES.txt").read_text("utf-8").splitlines())
    assert set(_files(folder)) - shipped == set()


def test_a_source_distribution_holds_the_files_beside_the_folders(built: Path) -> None:
    shipped = set((built / "ferserve.egg-info/SOURCES.txt").read_text("utf-8").splitlines())
    tracked = ["LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "mkdocs.yml", "pyproject.toml"]
    images = ["Dockerfile", "Dockerfile.cuda", "Dockerfile.jetson", "compose.yaml"]
    assert {*tracked, *images, "setup.py", "MANIFEST.in"} - shipped == set()


def test_the_readme_installs_beside_another_opencv_every_other_dependency(metadata: Message) -> None:
    line = re.search(r"^pip install --no-deps \.\npip install (.*)$", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert line
    required = {text.split(";")[0] for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text}
    names = {_name(text) for text in required}
    assert {_name(text) for text in shlex.split(line[1])} == names - {"opencv-python-headless"}
    assert "opencv-python-headless" in names


def _name(requirement: str) -> str:
    return re.split(r"[<>=\[ ]", requirement)[0]


WITHOUT_OPENCV = "import sys; sys.modules['cv2'] = None; "


@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["classify", "photo.jpg"], ["models", "list"]])
def test_a_command_without_opencv_says_in_one_line_how_to_install_one(arguments: list[str]) -> None:
    code = f"{WITHOUT_OPENCV} sys.argv = ['ferserve', *{arguments}]; from ferserve.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"ferserve: cannot import cv2: .+; install .+`pip install opencv-python-headless`\n", done.stderr
    )


def test_a_name_that_needs_opencv_says_how_to_install_one() -> None:
    code = f"{WITHOUT_OPENCV} import ferserve; ferserve.Client; ferserve.LocalClient"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.match(
        r"ferserve.errors.MissingPackageError: cannot import cv2: .+; install .+opencv-python-headless",
        done.stderr.splitlines()[-1],
    )


def test_the_changelog_begins_with_this_version() -> None:
    first = re.search(r"^## \[(.+?)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert first
    assert first[1] == __version__


def test_the_metadata_name_the_version_and_every_python(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier", [])
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    for version in ("3.10", "3.11", "3.12", "3.13", "3.14"):
        assert f"Programming Language :: Python :: {version}" in classifiers
    assert {"Typing :: Typed", "Operating System :: POSIX :: Linux"} <= set(classifiers)


def test_the_readme_of_the_metadata_needs_no_other_file(metadata: Message) -> None:
    readme = metadata.get_payload()
    assert isinstance(readme, str)
    assert readme.lstrip().startswith("# ferserve")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert re.findall(r"\]\((?!https?://|#)[^)]*\)", readme) == []
    for name in re.findall(r"\(`(\w[^`]*)`\)", readme):
        assert (ROOT / name.partition("#")[0]).exists(), name


def test_the_image_installs_what_the_package_needs_in_versions_that_it_allows_with_hashes(metadata: Message) -> None:
    lines = (ROOT / "deploy/requirements.txt").read_text().splitlines()
    pins = dict(line.removesuffix(" \\").split("==") for line in lines if "==" in line)
    blocks = "\n".join(lines).split("==")[1:]
    assert all(block.count("--hash=sha256:") >= 1 for block in blocks)
    for line in metadata.get_all("Requires-Dist") or []:
        if "extra ==" in line:
            continue
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins[requirement.name.lower()]), line
