"""Somebody who guesses tokens."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fire.attack import Target
from tests.fire.measure import UnderFire
from tests.fire.quick import BesideCamera
from tests.fire.rude import CLASSIFY
from tests.fire.server import FireServer
from tests.serving.tokens import TokenFile

PER_S, CONNECTIONS = 1000, 10
MAX_P99_RATIO = 1.2
WRONG = ("authorization", f"Bearer ferserve_{'0' * 12}_{'x' * 43}")


def guesses_tokens(target: Target) -> None:
    """A thousand calls per second, each with a wrong token, over ten connections of one address."""
    connections = [target.connect(source="127.0.0.2") for _ in range(CONNECTIONS)]
    sent, started = 0, time.monotonic()
    while target.burning:
        due = int((time.monotonic() - started) * PER_S)
        while sent < due and target.burning:
            connections[sent % CONNECTIONS].open(CLASSIFY, WRONG)
            sent += 1
        for connection in connections:
            connection.poll()
    assert sent >= 0.9 * PER_S * (time.monotonic() - started), "the attack is to keep up its rate"


@pytest.mark.fire
def test_a_thousand_wrong_tokens_a_second(
    under_fire: UnderFire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    monkeypatch.setenv("FERSERVE_TOKEN", tokens.add("camera"))
    monkeypatch.setenv("FERSERVE_SERVER_TOKEN_FILE", tokens.path)
    report = under_fire(guesses_tokens)
    report.assert_bars()
    assert report.p99_ms <= MAX_P99_RATIO * report.quiet_p99_ms, report.row()


def test_guesses_are_refused_and_the_camera_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    monkeypatch.setenv("FERSERVE_TOKEN", tokens.add("camera"))
    monkeypatch.setenv("FERSERVE_SERVER_TOKEN_FILE", tokens.path)

    def guesses(target: Target) -> None:
        with target.connect() as connection:
            for _ in range(50):
                status = connection.status(connection.open(CLASSIFY, WRONG), 20)
                assert status is not None
                assert status[0] == "16"

    with FireServer() as server:
        BesideCamera(server)(guesses)
