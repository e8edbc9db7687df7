"""The command line, as its users and their scripts meet it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ferserve import __version__
from ferserve.models.spec import METADATA_KEY
from tests import builders
from tests.serving.commands import run_command
from tests.tiny_models import brightness_spec, write_brightness_model


def test_version() -> None:
    done = run_command("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ferserve {__version__}\n", "")


def test_help_names_every_command() -> None:
    done = run_command("--help")
    assert done.returncode == 0
    for command in ("serve", "classify", "stream", "check", "models"):
        assert command in done.stdout
    assert (
        "Exit codes: 0 done, 1 some inputs failed, 2 wrong usage or configuration or no server, 3 source lost, "
        "130 interrupted" in " ".join(done.stdout.split())
    )


@pytest.mark.parametrize(
    "command", [[], ["serve"], ["classify"], ["stream"], ["models"], ["models", "list"], ["bench", "streams"]]
)
def test_help_is_short_of_types_for_flags(command: list[str]) -> None:
    short, long = run_command(*command, "-h"), run_command(*command, "--help")
    assert (short.returncode, short.stderr) == (0, "")
    assert short.stdout == long.stdout
    assert "--help" in short.stdout
    assert "bool" not in short.stdout
    assert command or "<" not in short.stdout


def test_flags_that_are_counted_take_no_value() -> None:
    (line,) = (line for line in run_command("serve", "-h").stdout.splitlines() if "--verbose" in line)
    assert "<" not in line


def test_descriptions_and_labels_are_told_as_they_are(tmp_path: Path) -> None:
    """A model may come from anybody; what it says of itself is no markup."""
    spec = brightness_spec("odd")
    head = dataclasses.replace(spec.heads[0], labels=("[/b]", ":smile:"))
    odd = dataclasses.replace(spec, description="[bold]odd[/bold] [/i]", heads=(head,))
    path = write_brightness_model(tmp_path / "odd.onnx", odd)
    for command in (["models", "list", "--model-dir", tmp_path], ["check", path]):
        done = run_command(*command, env={**os.environ, "COLUMNS": "200"})
        assert (done.returncode, done.stderr) == (0, "")
        assert "[bold]odd[/bold] [/i]" in done.stdout
    assert "[/b], :smile:" in done.stdout
    (tmp_path / "face.jpg").write_bytes(builders.jpeg(builders.astronaut()))
    faces = run_command("classify", tmp_path / "face.jpg", "--model", path)
    assert (faces.returncode, faces.stderr) == (0, "")
    assert ":smile:  0." in faces.stdout
    assert "[/b] 0." in faces.stdout


@pytest.mark.parametrize("columns", ["80", "120"])
def test_names_of_models_are_never_cut(columns: str) -> None:
    done = run_command("models", "list", env={**os.environ, "COLUMNS": columns})
    assert "emotion-lite-int8" in done.stdout
    assert "…" not in done.stdout


def test_check_says_what_a_model_is_and_what_runs_it(folder: Path) -> None:
    done = run_command("check", folder / "brightness.onnx", "--self-test")
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "brightness 1",
        "dark, bright",
        "ONNX Runtime",
        "sha256",
        "infer",
        "kernels",
        "nodes on",
        "self-test",
    ):
        assert words in done.stdout


def test_check_shows_every_file_of_a_folder(tmp_path: Path) -> None:
    """Such as what ``python -m training compress`` leaves."""
    for name in ("fp16", "int8"):
        write_brightness_model(tmp_path / f"{name}.onnx")
    done = run_command("check", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("fp16", "int8"):
        assert f"{tmp_path / name}.onnx:\n" in done.stdout
    assert done.stdout.count("infer") == 2


def test_check_refuses_a_file_that_does_not_say_what_it_is_and_shows_how(folder: Path) -> None:
    path = write_brightness_model(folder / "mute.onnx", embed=False)
    done = run_command("check", path)
    path.unlink()
    assert done.returncode == 2
    assert METADATA_KEY in done.stderr
    assert '"heads"' in done.stderr


def test_models_list_and_info(folder: Path, target: str) -> None:
    for flags in (["--target", target], ["--model-dir", str(folder)]):
        listed = run_command("models", "list", "--json", *flags)
        assert listed.returncode == 0, listed.stderr
        names = {json.loads(line)["name"] for line in listed.stdout.splitlines()}
        assert "brightness" in names
        table = run_command("models", "list", *flags)
        assert "brightness" in table.stdout
        told = run_command("models", "info", "brightness", "--json", *flags)
        assert json.loads(told.stdout)["heads"] == {"emotion": ["dark", "bright"]}
        assert run_command("models", "info", "nobody", *flags).returncode == 2
    assert "default" in run_command("models", "info").stdout


def test_models_list_shows_the_detectors(tmp_path: Path) -> None:
    env = {**os.environ, "FERSERVE_PULL_DIR": str(tmp_path), "COLUMNS": "200"}
    lines = [json.loads(line) for line in run_command("models", "list", "--json", env=env).stdout.splitlines()]
    detectors = {line["name"]: line["available"] for line in lines if line["kind"] == "detector"}
    assert detectors == {"face-lite": True, "yunet": False}
    assert {line["kind"] for line in lines if "heads" in line} == {"model"}
    table = run_command("models", "list", env=env).stdout
    assert "face-lite" in table
    assert "`ferserve models pull yunet`" in table


LONG = "x" * 300
"""More than a file's name may have, and a host's."""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["classify"], "Missing argument"),
        (["stream", "x", "--json", "--show"], "must be left out with --json"),
        (["stream", "x", "--delivery", "sometimes"], "sometimes"),
        (["classify", "x", "--min-score", "7"], "min_score must be from 0 to 1, got 7"),
        (["classify", "x", "--model", "/nowhere.onnx"], "nowhere.onnx"),
        (["classify", "x", "--target", "127.0.0.1:1"], "start one with `ferserve serve`"),
        (["classify", "x", "--target", "127.0.0.1:99999"], "a port is a number from 1 to 65535"),
        (["classify", "x", "--target", "http://127.0.0.1:1"], "leave out http://"),
        (["classify", "x", "--target", "host.invalid:1"], "check the name of the host"),
        (["classify", "x", "--target", "127.0.0.1:1", "--device", "cpu"], "--device must be left out with --target"),
        (["classify", "x", "--device", "tpu"], "engine.device must be one of"),
        (["classify", "x", "--target", "127.0.0.1:1", "--detector", "yunet"], "--detector must be left out"),
        (["stream", "x", "--detector", "none"], "--detector must be face-lite or yunet without --target"),
        (["classify", "x", "--detection-side", "-1"], "detection_side_px must be from 0 to 65535 px, got -1"),
        (["stream", "x", "--detection-side", "4096"], "; engine.max_detection_side_px sets this limit"),
        (["check", "/nowhere.onnx"], "nowhere.onnx"),
        (["check", "./x"], "x must be an ONNX file, got a JPEG picture; `ferserve classify`"),
        (["bench", "streams", "--cameras", "1", "--delivery", "sometimes"], "sometimes"),
        (["bench", "streams", "--cameras", "1", "--size", "640"], "--size must be WxH in px"),
        (["bench", "streams", "--cameras", "1", "--size", "16x480"], "--size must be from 32 to 8192, got 16"),
        (["bench", "streams", "--cameras", "1", "--source", "/nowhere.jpg"], "--source must be an existing file"),
        (["bench", "crops", "--seconds", "0"], "--seconds must be from 0.1 to 86400, got 0"),
        (["bench", "streams", "--cameras", "1", "--size", "²x3"], "--size must be WxH in px"),
        (["bench", "streams", "--cameras", "1", "--size", "9" * 5000 + "x480"], "--size must be WxH in px"),
        (["bench", "streams", "--cameras", "1", "--source", LONG + ".jpg"], "--source must be an existing file"),
        (["bench", "streams", "--cameras", "1", "--target", "127.0.0.1:²", "--raw-seconds", "0"], "must be HOST:PORT"),
        (["bench", "streams", "--cameras", "1", "--target", LONG + ":1", "--raw-seconds", "0"], "must be a running"),
        (["check", LONG + ".onnx"], "model must be a file that exists and can be reached"),
        (["check", LONG], "model must be one of"),
        (["check", "--model-dir", LONG], "model_dir must be a folder that exists"),
        (["tune", "--write", "--config", LONG], "config file must be"),
        (["tune", "--write"], "must come with --config FILE"),
        (["tune", "--config", "/nowhere.toml"], "config file must be readable"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_is_exit_code_2_without_a_stack_trace(arguments: list[str], words: str, tmp_path: Path) -> None:
    picture = tmp_path / "x"
    picture.write_bytes(builders.jpeg(builders.astronaut()))
    done = run_command(*arguments, cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_configuration_comes_from_file_environment_and_flags(tmp_path: Path, folder: Path) -> None:
    config = tmp_path / "ferserve.toml"
    config.write_text(f'[engine]\nmodel = "{folder / "brightness.onnx"}"\nmin_score = 1.0\n')
    by_file = run_command("classify", folder / "face.jpg", "--json", "--config", config)
    assert json.loads(by_file.stdout)["faces"] == []
    by_environment = run_command(
        "classify", folder / "face.jpg", "--json", "--config", config,
        env={**os.environ, "FERSERVE_ENGINE_MIN_SCORE": "0.5"},
    )  # fmt: skip
    assert len(json.loads(by_environment.stdout)["faces"]) == 1
    config.write_text("[engine]\nmodle = 'x'\n")
    wrong = run_command("classify", folder / "face.jpg", "--config", config)
    assert wrong.returncode == 2
    assert "the nearest valid one is 'model'" in wrong.stderr


def test_startup_is_not_slowed_by_what_a_command_does_not_need() -> None:
    code = "import sys, ferserve.cli; print([m for m in ('cv2', 'grpc', 'onnxruntime') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
