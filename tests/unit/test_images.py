"""The images: their shell can be parsed, their health checks work, and compose.yaml names what there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.serving.health import free_port
from tests.serving.process import ServerProcess

ROOT = Path(__file__).parents[2]
IMAGES = ["Dockerfile", "Dockerfile.cuda", "Dockerfile.jetson"]


def text_of(name: str) -> str:
    """A Dockerfile with its lines joined as Docker joins them."""
    return (ROOT / name).read_text().replace("\\\n", "")


def health_check(name: str) -> list[str]:
    """The command behind HEALTHCHECK."""
    found = re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", text_of(name), re.M)
    assert found
    command: list[str] = json.loads(found[1])
    return command


@pytest.mark.parametrize("name", IMAGES)
def test_every_step_is_shell_that_can_be_parsed(name: str) -> None:
    steps = re.findall(r"^RUN (.*)$", text_of(name), re.M)
    assert steps
    for step in steps:
        subprocess.run(["bash", "-n", "-c", step], check=True)


def test_the_images_ask_for_health_in_the_same_way() -> None:
    assert len({json.dumps(health_check(name)) for name in IMAGES}) == 1


def test_the_health_check_says_whether_the_server_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    code = health_check("Dockerfile")[2].replace("50052", str(port))
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode != 0
    monkeypatch.setenv("FERSERVE_SERVER_HEALTH_PORT", str(port))
    with ServerProcess([sys.executable, "-m", "ferserve", "serve", "--port", "0"]):
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_jetson_sees_the_tensorrt_of_jetpack_and_asks_for_it() -> None:
    text = text_of("Dockerfile.jetson")
    assert "python3 -m venv --system-site-packages" in text
    assert "ENV FERSERVE_ENGINE_DEVICE=tensorrt-native" in text
    assert "--index-url" not in text  # no index of somebody else's wheels
    assert set(re.findall(r"^FROM \S+ AS (jetpack\d)$", text, re.M)) == {"jetpack6", "jetpack7"}


def test_compose_names_the_images() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    files = {
        service["build"] if isinstance(service["build"], str) else service["build"]["dockerfile"]
        for service in services.values()
    }
    assert files == {".", "Dockerfile.cuda", "Dockerfile.jetson"}
    assert [service["profiles"] for service in services.values()] == [[name] for name in services]
