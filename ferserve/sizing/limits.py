"""What gives way first as a fleet grows, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ferserve.config import ServerConfig
from ferserve.sizing.fleet import Fleet

OPEN_FILES = 1024
"""What a shell or a container often allows a process; each camera is a connection of the proxy."""
NIC_GBIT = 10.0
NIC_LOAD = 0.7
SITE_GBIT = 1.0
"""A line between a site and a data centre."""
MACHINE_PROCESSORS = 64
PROXY_PROCESSORS = 8
"""Of one proxy machine, and its network twice: a frame comes in and goes out."""
MANY_PODS = 1000
"""Of one Service: EndpointSlices hold 100 each, and every node gets every change."""
DNS_ADDRESSES = 100
"""That fit into one answer of some KB, as a headless Service gives it."""
_STREAMS_PER_CLIENT = ServerConfig().max_streams_per_client


@dataclass(frozen=True)
class Limit:
    """Something that does not hold any more, and the way out."""

    rule: str
    """Its name."""
    what: str
    way_out: str


@dataclass(frozen=True)
class _Rule:
    name: str
    breaks: Callable[[Fleet], bool]
    what: Callable[[Fleet], str]
    way_out: str


_RULES = (
    _Rule(
        "one server",
        lambda fleet: fleet.servers > 1,
        lambda fleet: f"one server holds {fleet.fullest_server} cameras",
        "put Envoy or HAProxy before several (deploy/), or give clients all addresses",
    ),
    _Rule(
        "streams per client",
        lambda fleet: fleet.cameras > _STREAMS_PER_CLIENT,
        lambda fleet: f"server.max_streams_per_client {_STREAMS_PER_CLIENT}: a proxy is one client",
        "give cameras tokens, or raise it with max_calls_per_client and max_receiving_bytes_per_client",
    ),
    _Rule(
        "open files",
        lambda fleet: fleet.cameras > OPEN_FILES * 0.8,
        lambda fleet: f"open files: {OPEN_FILES} per process by default, one per camera at the proxy",
        "LimitNOFILE or ulimit -n of 65536 for the proxy",
    ),
    _Rule(
        "one machine",
        lambda fleet: fleet.processors > MACHINE_PROCESSORS,
        lambda fleet: f"one machine of {MACHINE_PROCESSORS} processors",
        "several machines, or Kubernetes with pods of one worker each",
    ),
    _Rule(
        "network of a proxy",
        lambda fleet: 2 * fleet.network_gbit > NIC_GBIT * NIC_LOAD,
        lambda fleet: f"network of a proxy: {2 * fleet.network_gbit:,.0f} Gbit/s in and out, {NIC_GBIT:g} per NIC",
        "several proxies ({nics}) behind DNS or an L4 balancer, or no proxy: clients that choose servers themselves",
    ),
    _Rule(
        "processors of proxies",
        lambda fleet: fleet.proxy_processors > PROXY_PROCESSORS,
        lambda fleet: f"proxies: {fleet.proxy_processors:,.0f} processors for them alone",
        "clients that choose servers themselves save all of it",
    ),
    _Rule(
        "addresses",
        lambda fleet: fleet.servers > DNS_ADDRESSES,
        lambda fleet: f"{fleet.servers:,} addresses in one DNS answer, each checked by each proxy and client",
        "shards of at most 100 servers, each with its own proxies and cameras; a registry says who belongs where",
    ),
    _Rule(
        "line",
        lambda fleet: fleet.network_gbit > SITE_GBIT,
        lambda fleet: f"line: {fleet.network_gbit:,.1f} Gbit/s of video, {fleet.results_gbit:,.2f} of results",
        "run ferserve at the site and send results: {saving} times less",
    ),
    _Rule(
        "pods",
        lambda fleet: fleet.servers > MANY_PODS,
        lambda fleet: f"{fleet.servers:,} pods: each change of endpoints goes to all nodes, through one etcd",
        "several clusters, one per region or site",
    ),
)


def limits_of(fleet: Fleet) -> Iterator[Limit]:
    """In the order in which a growing fleet meets them."""
    words = {
        "nics": math.ceil(2 * fleet.network_gbit / (NIC_LOAD * NIC_GBIT)),
        "saving": round(fleet.network_gbit / fleet.results_gbit),
    }
    for rule in _RULES:
        if rule.breaks(fleet):
            yield Limit(rule.name, rule.what(fleet), rule.way_out.format(**words))
