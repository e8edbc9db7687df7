"""``ferserve size``."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferserve.cli.size_flag import parse_size

if TYPE_CHECKING:
    from ferserve.sizing.cost import Cost
    from ferserve.sizing.fleet import Demand, Fleet


def command(
    cameras: Annotated[int, typer.Option(help="Live cameras.")],
    fps: Annotated[float, typer.Option(help="Frames a second of each camera.")] = 30.0,
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the pictures, px.")] = "640x480",
    processors: Annotated[int, typer.Option(help="Processors per server, which is one worker.")] = 2,
    bounded: Annotated[
        bool, typer.Option("--bounded", help="The proxy bounds shares: no server gets more than 1.25 of the mean.")
    ] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Measure this machine first, for half a minute.")] = False,
    cost: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Unit costs that --save wrote; without it, the shipped ones.")
    ] = None,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="With --measure: keep the unit costs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what a number of cameras needs: servers, processors, network, proxies, and what gives way first.

    A queueing model predicts the drops and the p99 of the fullest server; docs/scale.md states it and says how far it
    was checked.
    """
    from ferserve.sizing.fleet import Demand, size_fleet

    if measure and cost is not None:
        raise typer.BadParameter("must come without --measure, got both", param_hint="--cost")
    if save is not None and not measure:
        raise typer.BadParameter("must come with --measure, got no measurement", param_hint="--save")
    width, height = parse_size(size)
    demand = Demand(cameras, fps, width, height)
    costs = _costs(demand, measure, cost, save)
    fleet = size_fleet(demand, costs, processors, bounded=bounded)
    if as_json:
        print(json.dumps(_as_dict(demand, fleet, costs)))
    else:
        _show(demand, fleet, costs)


def _costs(demand: Demand, measure: bool, path: Path | None, save: Path | None) -> Cost:
    from ferserve.errors import ConfigError
    from ferserve.sizing.cost import read_cost, shipped_cost

    if not measure:
        return shipped_cost() if path is None else read_cost(path)
    from ferserve.sizing.measure import measure_cost

    measured = measure_cost([(demand.width, demand.height)], 6.0, _say)
    if save is not None:
        try:
            save.write_text(measured.to_json(), "utf-8")
        except OSError as error:
            raise ConfigError(f"--save must be a file that can be written, got {save}: {error.strerror}") from None
    return measured


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"ferserve size: {what} …", file=sys.stderr)


def _as_dict(demand: Demand, fleet: Fleet, costs: Cost) -> dict[str, object]:
    from ferserve.sizing.limits import limits_of

    return {
        "demand": dataclasses.asdict(demand),
        **dataclasses.asdict(fleet),
        "limits": [dataclasses.asdict(limit) for limit in limits_of(fleet)],
        "cost": dataclasses.asdict(costs.of(demand.width, demand.height)),
        "machine": costs.machine,
        "date": costs.date,
    }


def _show(demand: Demand, fleet: Fleet, costs: Cost) -> None:
    from rich.table import Table

    from ferserve.cli.table import plain_console
    from ferserve.sizing.limits import limits_of

    console = plain_console()
    frame = costs.of(demand.width, demand.height)
    console.print(
        f"{demand.cameras:,} cameras of {demand.width}x{demand.height}, {demand.fps:g} frames/s; a frame takes "
        f"{frame.cpu_ms:.2f} ms of a processor and {frame.frame_bytes / 1000:.0f} KB ({costs.machine}, {costs.date})",
        soft_wrap=True,
    )
    grid = Table(show_header=False)
    for name, value in _rows(fleet):
        grid.add_row(name, value)
    console.print(grid)
    for number, limit in enumerate(limits_of(fleet)):
        console.print(f"{'what gives way first: ' if not number else 'then: '}{limit.what}", soft_wrap=True)
        console.print(f"  {limit.way_out}", soft_wrap=True)


def _rows(fleet: Fleet) -> list[tuple[str, str]]:
    return [
        ("frames per second", f"{fleet.frames_per_s:,.0f}"),
        ("servers", f"{fleet.servers:,}"),
        ("cameras per server", f"{fleet.cameras_per_server} on average, {fleet.fullest_server} on the fullest"),
        ("processors", f"{fleet.processors:,}, of which {fleet.processors_busy:,.1f} are busy"),
        ("memory", f"{fleet.memory_gb:,.1f} GB"),
        ("video", f"{fleet.network_gbit:,.2f} Gbit/s"),
        ("results", f"{1000 * fleet.results_gbit:,.1f} Mbit/s"),
        ("processors of proxies", f"{fleet.proxy_processors:,.1f}"),
        ("p99 of the fullest server", f"{fleet.p99_ms:.1f} ms"),
        ("dropped there", f"{100 * fleet.dropped:.3f} %"),
    ]
