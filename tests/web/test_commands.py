"""``ferserve web`` and ``ferserve serve --web``, in processes of their own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ferserve.config import ServerConfig
from ferserve.errors import ConfigError
from tests import builders
from tests.serving.commands import FERSERVE, run_command
from tests.serving.health import free_port
from tests.serving.process import ServerProcess, serve_command
from tests.web.serving import ask, classify

JPEG = builders.jpeg(builders.astronaut())


def test_a_page_is_served_until_ctrl_c(model_dir: Path) -> None:
    models = ("--model", "brightness", "--model-dir", str(model_dir))
    with ServerProcess([*FERSERVE, "web", "--port", "0", *models]) as process:
        page = process.ready_line.removeprefix("ferserve page on ")
        assert classify(page, JPEG).json["model_name"] == "brightness"
        process.process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert process.rest() == ("", "")


def test_a_server_has_a_page_and_a_page_has_a_server(model_dir: Path) -> None:
    port = free_port()
    with ServerProcess([*serve_command(model_dir), "--web", str(port)]) as server:
        assert classify(f"http://127.0.0.1:{port}/", JPEG).json["model_name"] == "brightness"
        with ServerProcess([*FERSERVE, "web", "--port", "0", "--target", server.address]) as other:
            page = other.ready_line.removeprefix("ferserve page on ")
            assert classify(page, JPEG).json["model_name"] == "brightness"
            server.process.terminate()
            assert server.wait() == 0
            assert server.rest() == ("", "")
            assert classify(page, JPEG).error == (503, "server_unavailable")
            assert ask(page, "GET", "").status == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "127.0.0.1:1", "--device", "cpu"], "--device must be left out with --target"),
        (["--target", "127.0.0.1:1", "--model", "x"], "--model must be left out with --target"),
        (["--tls-ca", "system"], "--tls-ca must come with --target"),
        (["--host", "192.0.2.1"], "must be a free address of this machine, got 192.0.2.1:8080"),
    ],
)
def test_wrong_flags_are_one_sentence(arguments: list[str], words: str) -> None:
    done = run_command("web", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ferserve: ")
    assert words in last


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"web_port": 8080, "workers": 2}, "server.web_port must be 0 if server.workers is above 1"),
        ({"web_port": 50051}, "server.web_port must be from 0 to 65535 and other than server.port"),
        ({"web_port": 70_000}, "server.web_port must be from 0 to 65535"),
    ],
)
def test_the_port_of_the_page_is_its_own(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ServerConfig(**settings)  # type: ignore[arg-type]
