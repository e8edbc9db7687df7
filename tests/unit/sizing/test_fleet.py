"""From cameras to servers, network and what gives way."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from ferserve.errors import ConfigError
from ferserve.sizing.cost import Cost, FrameCost
from ferserve.sizing.fleet import MAX_DROPS, MAX_P99_MS, Demand, fullest_share, size_fleet
from ferserve.sizing.limits import limits_of

VGA = FrameCost(640, 480, 1, 1.5, 3.0, 8.0, 50_000, 0.5)
HD = FrameCost(1280, 720, 1, 3.2, 5.0, 12.0, 110_000, 0.5)
COST = Cost("a test", "2026-11-28", (VGA, HD), 150, 500, 0.25, 50_000)


def test_figures_follow_from_the_unit_costs() -> None:
    fleet = size_fleet(Demand(10_000), COST)
    assert fleet.frames_per_s == 300_000
    assert fleet.processors_busy == pytest.approx(450)
    assert fleet.network_gbit == pytest.approx(300_000 * 50_000 * 8e-9, rel=0.05)
    assert fleet.proxy_processors == pytest.approx(75)
    assert fleet.processors == 2 * fleet.servers >= 450


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("cameras", [1, 7, 100, 1000, 123_456, 10_000_000])
def test_the_fullest_server_keeps_within_the_bars(cameras: int, bounded: bool) -> None:
    fleet = size_fleet(Demand(cameras), COST, bounded=bounded)
    assert fleet.servers * fleet.fullest_server >= cameras
    assert fleet.dropped <= MAX_DROPS
    assert fleet.p99_ms <= MAX_P99_MS
    assert fleet.fullest_server * 30 * 1.5e-3 / 2 <= 0.7


def test_bounded_shares_save_servers() -> None:
    assert size_fleet(Demand(10_000), COST, bounded=True).servers < 0.8 * size_fleet(Demand(10_000), COST).servers


@pytest.mark.parametrize(("cameras", "servers"), [(100, 5), (1000, 50), (10_000, 300)])
def test_the_fullest_share_is_that_of_a_hash(cameras: int, servers: int) -> None:
    luck = random.Random(1)
    fullest = [max(Counter(luck.randrange(servers) for _ in range(cameras)).values()) for _ in range(20)]
    said = fullest_share(cameras, servers, bounded=False)
    assert 0.9 * sum(fullest) / 20 <= said <= 1.25 * sum(fullest) / 20


def test_larger_fleets_meet_more_limits() -> None:
    met = [[limit.rule for limit in limits_of(size_fleet(Demand(10**n), COST))] for n in range(6)]
    assert met[0] == []
    assert met[2][0] == "one server"
    assert "line" in met[2]
    assert all(set(fewer) <= set(more) for fewer, more in itertools.pairwise(met))
    assert met[5][-1] == "pods"


@pytest.mark.parametrize(
    "size", [(640, 480), (1280, 720), (320, 240), (960, 540), (1920, 1080), (32, 32), (8192, 8192)]
)
def test_costs_of_other_sizes_rise_with_their_pixels(size: tuple[int, int]) -> None:
    frame = COST.of(*size)
    assert (frame.width, frame.height) == size
    scale = frame.pixels / VGA.pixels
    assert min(1, scale) * 1.5 <= frame.cpu_ms <= max(1, scale) * 1.5
    assert min(1, scale) * 50_000 <= frame.frame_bytes <= max(1, scale) * 50_000


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"cameras": 0}, "--cameras must be from 1 to"),
        ({"cameras": 10**12}, "--cameras must be from 1 to"),
        ({"cameras": -1}, "--cameras must be from 1 to"),
        ({"fps": float("nan")}, "--fps must be from 0.1 to 1000, got nan"),
        ({"fps": float("inf")}, "--fps must be from 0.1 to 1000, got inf"),
        ({"width": 0, "height": 0}, "--size must be from 32 to 8192 px per side, got 0"),
    ],
)
def test_absurd_demands_are_refused(values: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Demand(**({"cameras": 1} | values))  # type: ignore[arg-type]


def test_a_camera_that_no_server_can_follow_is_said() -> None:
    with pytest.raises(ConfigError, match="--fps must be less than a server of 1 processors can answer"):
        size_fleet(Demand(1, fps=1000, width=8192, height=8192), COST, 1)
