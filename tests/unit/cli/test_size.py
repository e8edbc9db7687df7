"""``ferserve size``."""

from __future__ import annotations

import json

from tests.benchmarks import scale
from tests.serving.commands import run_command


def test_it_prints_what_a_fleet_needs() -> None:
    done = run_command("size", "--cameras", 10_000, "--bounded", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["demand"] == {"cameras": 10_000, "fps": 30.0, "width": 640, "height": 480}
    assert found["servers"] * found["fullest_server"] >= 10_000
    assert found["limits"][0]["what"].startswith("one server holds")
    assert {"machine", "date"} <= found.keys()


def test_the_table_says_the_same() -> None:
    done = run_command("size", "--cameras", 1000, "--size", "1280x720")
    assert "1,000 cameras of 1280x720, 30 frames/s" in done.stdout
    assert "what gives way first: one server holds" in done.stdout


def test_absurd_numbers_are_errors_in_one_line() -> None:
    done = run_command("size", "--cameras", 10, "--size", "0x0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ferserve: --size must be from 32 to 8192 px per side, got 0\n"


def test_the_tables_of_the_page_are_those_of_the_figures() -> None:
    made = scale.tables(json.loads(scale.RECORD.read_text("utf-8")), scale.read_cost(scale.SHIPPED))
    page = scale.PAGE.read_text("utf-8")
    assert scale.with_tables(page, made) == page, "run python -m tests.benchmarks.scale --tables"
