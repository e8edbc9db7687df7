"""The fire suite: rude clients against a real server with its default limits, beside a healthy camera.

``make fire`` runs the measured part, marked ``fire``; ``make test`` runs what has no mark, which judges counts alone.
docs/robustness.md has a row per guarantee. An attack is a function, and its test one line::

    def never_reads(target: Target) -> None:
        '''A stream sends frames and takes no answer.'''
        with target.connect(initial_window=0) as connection:
            stream = connection.open(CLASSIFY_STREAM)
            connection.send(stream, message(config()))
            while target.burning:
                connection.send(stream, message(jpeg_frame()), limit_s=0.1)

    @pytest.mark.fire
    def test_a_client_that_never_reads(under_fire: UnderFire) -> None:
        under_fire(never_reads).assert_bars()

``under_fire`` (:mod:`tests.fire.measure`) measures the camera in quiet, then under the attack, then the memory after
it, then SIGTERM while a second attack burns. An attack returns once ``target.burning`` is False. If it returns early or
the server hangs up on it, the camera is measured to the end of the time all the same. ``make test`` uses the same
function with ``beside_camera``, whose camera waits for each of its answers, however long they take.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fire.measure import Report, UnderFire, write_reports
from tests.fire.quick import BesideCamera
from tests.fire.server import FireServer

_REPORTS = pytest.StashKey[list[Report]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REPORTS] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """An attack takes half a minute; the suite's own limit is for tests that wait for nothing."""
    for item in items:
        if item.get_closest_marker("fire") is not None:
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture
def under_fire(request: pytest.FixtureRequest) -> UnderFire:
    """Measures an attack on a server of its own."""
    return UnderFire(request.node.name, request.config.stash[_REPORTS].append)


@pytest.fixture(scope="module")
def quick_server() -> Iterator[FireServer]:
    """A server with default limits that the quick tests of a file share."""
    with FireServer() as server:
        yield server


@pytest.fixture
def beside_camera(quick_server: FireServer) -> BesideCamera:
    """Runs an attack while a camera gets an answer to each of its frames."""
    return BesideCamera(quick_server)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One table of all attacks, also as ``build/fire/fire.md`` and ``fire.json``."""
    if reports := config.stash[_REPORTS]:
        terminalreporter.section("under fire")
        terminalreporter.write_line(Report.header())
        for report in reports:
            terminalreporter.write_line(report.row())
        write_reports(reports, config.rootpath / "build" / "fire")
