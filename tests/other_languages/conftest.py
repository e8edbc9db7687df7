"""The example clients in other languages, as command lines; each is skipped, aloud, where it was not built."""

from __future__ import annotations

import asyncio
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES, BUILT = ROOT / "examples" / "clients", ROOT / "build" / "clients"


@dataclass(frozen=True)
class Done:
    """How a client ended."""

    code: int
    out: list[str]
    err: str


@dataclass(frozen=True)
class ExampleClient:
    """One of the programs."""

    command: tuple[str, ...]

    async def start(self, *arguments: object) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*self.command, *map(str, arguments), stdout=pipe, stderr=pipe)

    async def run(self, *arguments: object) -> Done:
        return await self.end_of(await self.start(*arguments))

    async def interrupt(self, process: asyncio.subprocess.Process) -> Done:
        """Ctrl-C."""
        process.send_signal(signal.SIGINT)
        return await self.end_of(process)

    @staticmethod
    async def end_of(process: asyncio.subprocess.Process) -> Done:
        out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode().splitlines(), err.decode())


@pytest.fixture(scope="session")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> ExampleClient:
    """The client as it stands in the tree, beside the packages that ``make clients`` installed."""
    node, packages = shutil.which("node"), BUILT / "node" / "node_modules"
    if node is None or not packages.is_dir():
        pytest.skip("needs node, and its packages from 'make clients'")
    folder = tmp_path_factory.mktemp("clients") / "node"
    shutil.copytree(EXAMPLES / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copy(EXAMPLES / "service-config.json", folder.parent)
    (folder / "node_modules").symlink_to(packages)
    return ExampleClient((node, str(folder / "client.mjs"), "--proto", str(ROOT / "proto")))


@pytest.fixture(scope="session")
def cpp_client() -> ExampleClient:
    """The program that ``make clients`` compiled."""
    program = BUILT / "cpp" / "ferserve_client"
    if not program.is_file():
        pytest.skip("needs the program that 'make clients' compiles where gRPC for C++ is installed")
    return ExampleClient((str(program),))


@pytest.fixture(params=["node", "cpp"])
def example(request: pytest.FixtureRequest) -> ExampleClient:
    """Each client in turn."""
    client: ExampleClient = request.getfixturevalue(f"{request.param}_client")
    return client
