"""``ferserve top``."""

from __future__ import annotations

import time
from typing import Annotated, TypeAlias

import typer

Target: TypeAlias = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="Metrics port of the server, as server.metrics_port sets it.")
]
IntervalS: TypeAlias = Annotated[
    float,
    typer.Option("--interval", metavar="S", min=0.1, max=3600, help="Time between two looks."),
]
Once: TypeAlias = Annotated[bool, typer.Option("--once", help="Print one table, and end.")]


def command(target: Target = "127.0.0.1:50053", interval_s: IntervalS = 1.0, once: Once = False) -> None:
    """Watch a server: streams, frames per second, drops, times by stage, workers. Ctrl-C ends it."""
    from ferserve.cli.scrape import Interval, read_metrics
    from ferserve.cli.table import plain_console
    from ferserve.cli.top_view import view_of

    before = read_metrics(target)
    if not once:
        _watch(target, interval_s)
        return
    time.sleep(interval_s)
    plain_console().print(view_of(target, Interval(before, read_metrics(target))))


def _watch(target: str, interval_s: float) -> None:
    """Until Ctrl-C; a server that is gone may come back."""
    from rich.live import Live
    from rich.text import Text

    from ferserve.cli.scrape import Interval, read_metrics
    from ferserve.cli.table import plain_console
    from ferserve.cli.top_view import view_of
    from ferserve.errors import ServerUnavailableError

    before = read_metrics(target)
    try:
        with Live(console=plain_console(), auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(interval_s)
                try:
                    after = read_metrics(target)
                except ServerUnavailableError as error:
                    live.update(Text(str(error), style="red"), refresh=True)
                else:
                    live.update(view_of(target, Interval(before, after)), refresh=True)
                    before = after
    except KeyboardInterrupt:
        return
